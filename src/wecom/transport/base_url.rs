//! The address of the API: the real one, a gateway, or a simulator on this machine.

use std::{fmt, net::IpAddr, str::FromStr};

use reqwest::Url;

/// A checked API address: `https` to any host, plain `http` to a loopback address only, since the
/// token travels in the query (D90313 on 41001). It contains no credentials and can be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

/// Why an address is refused. The address itself is not repeated, since it may contain a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadBaseUrl {
    /// Not a URL.
    #[error("the API address is not a URL such as https://qyapi.weixin.qq.com")]
    NotAUrl,
    /// A host name with characters outside ASCII.
    #[error(
        "the host name of the API address has characters outside ASCII; internationalised names must be given in punycode (xn--…)"
    )]
    International,
    /// Neither https nor http.
    #[error("the API address must begin with https:// (http:// for a loopback address)")]
    Scheme,
    /// Plain http to another machine.
    #[error(
        "plain http is for loopback addresses only (127.0.0.1, [::1], localhost): use https, or the token travels in the open"
    )]
    PlainHttp,
    /// User name or password.
    #[error("the API address must not carry a user name or a password")]
    UserInfo,
    /// A query or a fragment.
    #[error("the API address must end before any '?' or '#'")]
    Tail,
}

impl BaseUrl {
    /// `https://qyapi.weixin.qq.com`.
    ///
    /// # Panics
    ///
    /// Never: a test holds the constant.
    #[must_use]
    pub fn official() -> Self {
        Self::parse("https://qyapi.weixin.qq.com").expect("the official address is a URL")
    }

    /// Parses `text`. A path becomes the prefix of every path.
    ///
    /// # Errors
    ///
    /// What is wrong, and what to write instead.
    pub fn parse(text: &str) -> Result<Self, BadBaseUrl> {
        let text = text.trim();
        let url = Url::parse(text).map_err(|_| {
            if host(text).is_ascii() {
                BadBaseUrl::NotAUrl
            } else {
                BadBaseUrl::International
            }
        })?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(BadBaseUrl::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadBaseUrl::UserInfo);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BadBaseUrl::Tail);
        }
        let base = Self(url);
        if base.is_plain() && !base.is_loopback() {
            return Err(BadBaseUrl::PlainHttp);
        }
        Ok(base)
    }

    /// Whether it is an address of this machine: 127.0.0.0/8, `[::1]` or `localhost`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    }

    /// Whether it is plain http.
    pub(super) fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }

    /// Returns the URL of `path`, which begins with a slash, with an encoded `query`.
    pub(super) fn join(&self, path: &str, query: &str) -> Url {
        let mut url = self.0.clone();
        match url.path().trim_end_matches('/') {
            "" => url.set_path(path),
            prefix => {
                let path = [prefix, path].concat();
                url.set_path(&path);
            }
        }
        url.set_query((!query.is_empty()).then_some(query));
        url
    }
}

/// Returns host and port of a text that may not be a URL.
fn host(text: &str) -> &str {
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host)
}

impl FromStr for BaseUrl {
    type Err = BadBaseUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_goes_to_any_host_and_http_to_loopback_only() {
        for (text, loopback) in [
            ("https://qyapi.weixin.qq.com", false),
            ("https://gateway.example/wecom/", false),
            ("https://localhost:8443", true),
            ("https://xn--bcher-kva.example", false),
            ("http://127.0.0.1:8080", true),
            ("http://127.8.9.1", true),
            ("http://[::1]:1", true),
            ("http://LOCALHOST:1/", true),
        ] {
            let base = BaseUrl::parse(text).unwrap();
            assert_eq!(base.is_loopback(), loopback, "{text}");
        }
        assert!(!BaseUrl::official().is_loopback());
        assert_eq!(
            BaseUrl::official().to_string(),
            "https://qyapi.weixin.qq.com"
        );
    }

    #[test]
    fn error_does_not_repeat_the_address() {
        use BadBaseUrl::{International, NotAUrl, PlainHttp, Scheme, Tail, UserInfo};
        for (text, why) in [
            ("", NotAUrl),
            ("qyapi.weixin.qq.com", NotAUrl),
            ("https://", NotAUrl),
            ("微信://qyapi.weixin.qq.com", NotAUrl),
            ("https://企业微信.example/hunter2", International),
            ("https://密:hunter2@bücher.example", International),
            ("https://密:hunter2@[::g]/密", NotAUrl),
            ("ftp://qyapi.weixin.qq.com", Scheme),
            ("file:///etc/hunter2", Scheme),
            ("http://qyapi.weixin.qq.com", PlainHttp),
            ("http://localhost.hunter2.example", PlainHttp),
            ("http://127.0.0.1.example", PlainHttp),
            ("http://[::2]", PlainHttp),
            ("http://0.0.0.0:80", PlainHttp),
            ("https://me:hunter2@qyapi.weixin.qq.com", UserInfo),
            ("https://hunter2@qyapi.weixin.qq.com", UserInfo),
            ("https://qyapi.weixin.qq.com?access_token=hunter2", Tail),
            ("https://qyapi.weixin.qq.com/#hunter2", Tail),
        ] {
            let error = BaseUrl::parse(text).unwrap_err();
            assert_eq!(error, why, "{text}");
            assert!(!error.to_string().contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn prefix_of_a_gateway_stays_before_the_path() {
        let base = BaseUrl::parse("https://gateway.example/wecom/").unwrap();
        let url = base.join("/cgi-bin/x", "a=%2F");
        assert_eq!(
            url.as_str(),
            "https://gateway.example/wecom/cgi-bin/x?a=%2F"
        );
        let url = BaseUrl::official().join("/cgi-bin/x", "");
        assert_eq!(url.as_str(), "https://qyapi.weixin.qq.com/cgi-bin/x");
    }
}
