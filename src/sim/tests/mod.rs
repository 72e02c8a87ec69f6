//! What the remote does, as a simple client sees it.

mod faults;
mod http;
mod lookups;
mod rules;

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{Forced, MemoryTransport, SimOptions, SimulatedRemote, Stats, api::SimEndpoint};
use crate::{
    clock::{Clock, Timestamp},
    secret::Secret,
    wecom::transport::{Failure, Method, NoConnection, Request, Transport},
};

/// A remote in memory, and a client that holds its token.
struct Bench {
    transport: MemoryTransport,
    token: String,
}

impl Bench {
    async fn new(options: SimOptions) -> Self {
        let start = Timestamp::parse("2026-11-22T09:00").unwrap();
        let remote = SimulatedRemote::new(Clock::starting_at(start), options);
        let remote = Rc::new(RefCell::new(remote));
        let transport = MemoryTransport::new(remote, Duration::from_secs(10));
        let mut bench = Self {
            transport,
            token: String::new(),
        };
        bench.token = bench.fetch().await;
        bench
    }

    /// Without a token, for remotes with too many faults to give one.
    fn without_token(options: SimOptions) -> Self {
        let remote = SimulatedRemote::new(Clock::starting_at(Timestamp::default()), options);
        let remote = Rc::new(RefCell::new(remote));
        let transport = MemoryTransport::new(remote, Duration::from_secs(10));
        Self {
            transport,
            token: String::new(),
        }
    }

    async fn fetch(&self) -> String {
        let (id, secret) =
            self.with(|remote| (remote.corp_id().to_owned(), remote.corp_secret().to_owned()));
        let reply = self.gettoken(&id, &secret).await;
        reply["access_token"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    async fn gettoken(&self, id: &str, secret: &str) -> Value {
        let query = [("corpid", id), ("corpsecret", secret)];
        let query = query.map(|(name, value)| (name, Arc::new(Secret::new(value.to_owned()))));
        let request = Request {
            method: Method::Get,
            path: SimEndpoint::Token.path(),
            query: query.into(),
            body: Vec::new(),
        };
        read(&self.send(request).await.unwrap())
    }

    async fn send(&self, request: Request) -> Result<Vec<u8>, Failure> {
        let response = self.transport.send(request).await?;
        if response.status == 200 {
            Ok(response.body)
        } else {
            Err(Failure::Status(response.status))
        }
    }

    async fn post(&self, api: SimEndpoint, body: impl Into<Vec<u8>>) -> Result<Vec<u8>, Failure> {
        let request = Request {
            method: Method::Post,
            path: api.path(),
            query: vec![("access_token", Arc::new(Secret::new(self.token.clone())))],
            body: body.into(),
        };
        self.send(request).await
    }

    async fn ask(&self, api: SimEndpoint, body: Value) -> Value {
        read(&self.post(api, body.to_string()).await.unwrap())
    }

    async fn lookup(&self, number: u32) -> Result<Vec<u8>, Failure> {
        self.post(SimEndpoint::Lookup, subject(number).to_string())
            .await
    }

    async fn errcode(&self, number: u32) -> i64 {
        code(&read(&self.lookup(number).await.unwrap()))
    }

    fn with<T>(&self, look: impl FnOnce(&mut SimulatedRemote) -> T) -> T {
        look(&mut self.transport.remote().borrow_mut())
    }

    fn script(&self, forced: impl IntoIterator<Item = Forced>) {
        self.with(|remote| remote.script(forced));
    }

    fn stats(&self) -> Stats {
        self.with(|remote| remote.stats())
    }

    fn counted(&self) -> u64 {
        self.stats()
            .lanes
            .get(SimEndpoint::Lookup.path())
            .map_or(0, |lane| lane.counted)
    }
}

fn subject(number: u32) -> Value {
    json!({ "unionid": format!("oUnion{number:022}"), "openid": format!("oOpen{number:023}") })
}

fn read(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

fn code(reply: &Value) -> i64 {
    reply["errcode"].as_i64().unwrap()
}
