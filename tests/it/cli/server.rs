//! A server whose every reply the test decides, and which remembers every request.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
};

/// One request as it was received.
#[derive(Clone)]
pub(super) struct Request {
    /// `POST /cgi-bin/… HTTP/1.1`
    pub(super) line: String,
    /// In order of arrival, names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Request {
    pub(super) fn is_gettoken(&self) -> bool {
        self.line.contains("/cgi-bin/gettoken?")
    }

    pub(super) fn is_application(&self) -> bool {
        self.line.contains("/apply_mass_call_ticket?")
    }

    pub(super) fn is_lookup(&self) -> bool {
        self.line.contains("/unionid_to_external_userid?")
    }

    /// The value of `name` in the JSON body.
    pub(super) fn field(&self, name: &str) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        body[name].as_str().unwrap_or_default().to_owned()
    }
}

/// What comes back.
pub(super) enum Reply {
    Json(String),
    /// Nothing, until the client leaves.
    Hang,
}

/// At work until the tests end.
pub(super) struct Server {
    base_url: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(super) fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::<Mutex<Vec<Request>>>::default();
        let (requests, answer) = (Arc::clone(&seen), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (requests, answer) = (Arc::clone(&requests), Arc::clone(&answer));
                // A client that leaves ends its conversation.
                std::thread::spawn(move || converse(stream, &requests, &*answer));
            }
        });
        Self { base_url, seen }
    }

    /// Answers gettoken with `token`, and all else by `lookup`.
    pub(super) fn with_token(
        token: &'static str,
        lookup: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start(move |request| match request.is_gettoken() {
            true => Reply::Json(format!(
                r#"{{"errcode":0,"errmsg":"ok","access_token":"{token}","expires_in":7200}}"#
            )),
            false => lookup(request),
        })
    }

    pub(super) fn base_url(&self) -> &str {
        &self.base_url
    }

    pub(super) fn seen(&self) -> Vec<Request> {
        let seen = self.seen.lock();
        seen.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn lookups(&self) -> usize {
        let seen = self.seen();
        seen.iter().filter(|request| request.is_lookup()).count()
    }
}

fn converse(
    stream: TcpStream,
    requests: &Mutex<Vec<Request>>,
    answer: &dyn Fn(&Request) -> Reply,
) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let request = read(&mut reader)?;
        let reply = answer(&request);
        requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(request);
        match reply {
            Reply::Json(json) => {
                let length = json.len();
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=UTF-8";
                let reply = format!("{head}\r\ncontent-length: {length}\r\n\r\n{json}");
                writer.write_all(reply.as_bytes()).ok()?;
            }
            Reply::Hang => {
                let _ = reader.read_to_end(&mut Vec::new());
                return None;
            }
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let line = read_line(reader)?;
    let mut headers = Vec::new();
    loop {
        let header = read_line(reader)?;
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(": ")?;
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    Some(Request {
        line,
        headers,
        body,
    })
}

fn read_line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    match reader.read_line(&mut line).ok()? {
        0 => None,
        _ => Some(line.trim_end().to_owned()),
    }
}
