//! Whom to ask: the documented address, a gateway, or a simulator inside this process.

use std::{net::Ipv4Addr, rc::Rc, time::Duration};

use super::{Failure, args::in_file, environment};
use crate::{
    config::{Credentials, File},
    sim::{self, Simulator},
    wecom::{BaseUrl, Client, HttpTransport, Timeouts},
};

/// The remote of a run.
pub(super) struct Remote {
    base: BaseUrl,
    /// Serves for as long as this lives.
    simulator: Option<Simulator>,
}

impl Remote {
    /// The address, from the flag (`base_url`), `WECOM_BASE_URL`, the file, or the documentation.
    pub(super) fn at(base_url: Option<BaseUrl>, file: &File) -> Result<Self, Failure> {
        // Not clap's to read: a sandbox minds no address in the environment.
        let exported = environment("WECOM_BASE_URL").map(|text| BaseUrl::parse(&text));
        let exported = exported
            .transpose()
            .map_err(|why| Failure::usage(format!("WECOM_BASE_URL: {why}")))?;
        let configured = match &file.wecom.base_url {
            Some(text) => {
                Some(BaseUrl::parse(text).map_err(|why| in_file("base_url", &why.to_string()))?)
            }
            None => None,
        };
        let base = base_url
            .or(exported)
            .or(configured)
            .unwrap_or_else(BaseUrl::official);
        Ok(Self {
            base,
            simulator: None,
        })
    }

    /// A simulator inside this process, over real HTTP on loopback.
    pub(super) fn sandbox() -> Result<Self, Failure> {
        let address = (Ipv4Addr::LOCALHOST, 0).into();
        let simulator = Simulator::start(address, sim::Options::sandbox())
            .map_err(|why| Failure::internal(format!("the sandbox cannot start: {why}")))?;
        let base = BaseUrl::parse(&simulator.base_url())
            .map_err(|why| Failure::internal(why.to_string()))?;
        Ok(Self {
            base,
            simulator: Some(simulator),
        })
    }

    pub(super) fn is_loopback(&self) -> bool {
        self.base.is_loopback()
    }

    /// The address, for people: it holds no credentials.
    pub(super) fn address(&self) -> String {
        self.base.to_string()
    }

    pub(super) const fn is_sandbox(&self) -> bool {
        self.simulator.is_some()
    }

    /// Credentials: the simulator's own, or the operator's.
    pub(super) fn credentials(&self, file: &File) -> Result<Credentials, Failure> {
        match &self.simulator {
            Some(simulator) => Ok(Credentials {
                corp_id: simulator.corp_id().to_owned(),
                corp_secret: crate::secret::Secret::new(simulator.corp_secret().to_owned()),
            }),
            None => Ok(Credentials::find(environment, &file.wecom)?),
        }
    }

    /// The client.
    pub(super) fn client(&self, who: Credentials, timeout: Duration) -> Result<Client, Failure> {
        let timeouts = Timeouts {
            total: timeout,
            ..Timeouts::default()
        };
        let transport = HttpTransport::new(self.base.clone(), timeouts)
            .map_err(|why| Failure::internal(why.to_string()))?;
        Ok(Client::new(
            Rc::new(transport),
            &who.corp_id,
            who.corp_secret,
        ))
    }
}
