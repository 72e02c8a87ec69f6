//! Where calls go: the documented address, a gateway, or a simulator inside this process.

use std::{net::Ipv4Addr, rc::Rc, time::Duration};

use super::error::Error;
use crate::{
    secret::Secret,
    sim::{self, Simulator},
    wecom::{BaseUrl, Client, HttpTransport, Timeouts},
};

/// Who calls.
pub struct Credentials {
    /// The upstream corp.
    pub corp_id: String,
    /// The secret of its app.
    pub corp_secret: Secret<String>,
}

/// An API address, and the sandbox behind it if there is one.
pub(crate) struct Connection {
    base: BaseUrl,
    /// Serves until it is dropped.
    simulator: Option<Simulator>,
}

impl Connection {
    /// Calls go to `base`.
    pub(crate) const fn to(base: BaseUrl) -> Self {
        Self {
            base,
            simulator: None,
        }
    }

    /// Starts a simulator inside this process, which is called over HTTP on loopback.
    pub(crate) fn sandbox() -> Result<Self, Error> {
        let address = (Ipv4Addr::LOCALHOST, 0).into();
        let simulator = Simulator::start(address, sim::SimOptions::sandbox())
            .map_err(|why| Error::internal(format!("the sandbox cannot start: {why}")))?;
        let base = BaseUrl::parse(&simulator.base_url())
            .map_err(|why| Error::internal(why.to_string()))?;
        Ok(Self {
            base,
            simulator: Some(simulator),
        })
    }

    /// Whether calls never leave this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        self.base.is_loopback()
    }

    /// Whether calls go to a simulator inside this process.
    pub(crate) const fn is_sandbox(&self) -> bool {
        self.simulator.is_some()
    }

    /// The address, for people; it holds no credentials.
    pub(crate) fn address(&self) -> String {
        self.base.to_string()
    }

    /// The credentials that the sandbox takes; `None` without one.
    pub(crate) fn sandbox_credentials(&self) -> Option<Credentials> {
        let simulator = self.simulator.as_ref()?;
        Some(Credentials {
            corp_id: simulator.corp_id().to_owned(),
            corp_secret: Secret::new(simulator.corp_secret().to_owned()),
        })
    }

    /// Returns a client that calls as `credentials` and gives a call up after `call_timeout`.
    pub(crate) fn client(
        &self,
        credentials: Credentials,
        call_timeout: Duration,
    ) -> Result<Client, Error> {
        let timeouts = Timeouts {
            total: call_timeout,
            ..Timeouts::default()
        };
        let transport = HttpTransport::new(self.base.clone(), timeouts)
            .map_err(|why| Error::internal(why.to_string()))?;
        Ok(Client::new(
            Rc::new(transport),
            &credentials.corp_id,
            credentials.corp_secret,
        ))
    }
}
