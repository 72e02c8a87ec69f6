//! An ear at the wire: every call of a scenario passes it on its way to the simulator.
//!
//! What it overhears is neither ours nor the remote's word, which is what makes it a witness.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use idferry::{
    clock::Timestamp,
    sim::MemoryTransport,
    wecom::{
        transport::{Failure, Request, Response, Sending, Transport},
        wire::{self, ConvertRequest},
    },
};

/// What came back to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Back {
    /// Nothing yet; after a kill, nothing ever.
    Nothing,
    /// A reply that can be read, with its errcode.
    Errcode(i64),
    /// No connection: the call was not sent.
    NotSent,
    /// Anything else: reset, time-out, status, spoilt or cut body.
    Unreadable,
}

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    /// The process that sent it, counted over all runs.
    pub(crate) life: u64,
    pub(crate) path: &'static str,
    /// The subject: unionid, openid and corpid; empty for calls that are not lookups.
    pub(crate) who: Box<str>,
    pub(crate) ticketed: bool,
    /// By the remote's time, which is the books' time unless a test says otherwise.
    pub(crate) sent: Timestamp,
    pub(crate) landed: Option<Timestamp>,
    pub(crate) back: Back,
}

impl Heard {
    pub(crate) fn is_lookup(&self) -> bool {
        self.path == wire::UNIONID_TO_EXTERNAL_USERID
    }
}

/// Everything heard.
#[derive(Default)]
pub(crate) struct Heap {
    pub(crate) calls: Vec<Heard>,
    /// The process that runs now.
    pub(crate) life: u64,
    /// When each process before it died, and how.
    pub(crate) deaths: BTreeMap<u64, Timestamp>,
    /// Tokens and tickets that came over the wire.
    pub(crate) secrets: BTreeSet<String>,
    pub(crate) tickets: BTreeSet<String>,
    /// Most calls of one API in the air at once, of one process.
    pub(crate) widest: BTreeMap<&'static str, usize>,
    airborne: BTreeMap<&'static str, usize>,
}

impl Heap {
    pub(crate) fn lookups(&self) -> impl Iterator<Item = &Heard> {
        self.calls.iter().filter(|call| call.is_lookup())
    }

    pub(crate) fn of(&self, path: &str) -> usize {
        self.calls.iter().filter(|call| call.path == path).count()
    }

    /// The process that runs now dies.
    pub(crate) fn dies(&mut self, now: Timestamp) {
        self.deaths.insert(self.life, now);
        self.next();
    }

    /// The process that runs now has ended; another may follow.
    pub(crate) fn next(&mut self) {
        self.life += 1;
        self.airborne.clear();
    }
}

/// The wire with an ear at it.
#[derive(Clone)]
pub(crate) struct Ear {
    wire: MemoryTransport,
    heap: Rc<RefCell<Heap>>,
}

impl Ear {
    pub(crate) fn at(wire: MemoryTransport, heap: &Rc<RefCell<Heap>>) -> Self {
        let heap = Rc::clone(heap);
        Self { wire, heap }
    }

    fn now(&self) -> Timestamp {
        self.wire.remote().borrow().now()
    }

    fn leaves(&self, request: &Request) -> usize {
        let asked: Option<ConvertRequest<'_>> = serde_json::from_slice(&request.body).ok();
        let mut heap = self.heap.borrow_mut();
        let heard = Heard {
            life: heap.life,
            path: request.path,
            who: asked.as_ref().map(who).unwrap_or_default().into(),
            ticketed: asked.is_some_and(|asked| asked.mass_call_ticket.is_some()),
            sent: self.now(),
            landed: None,
            back: Back::Nothing,
        };
        heap.calls.push(heard);
        let airborne = heap.airborne.entry(request.path).or_default();
        *airborne += 1;
        let airborne = *airborne;
        let widest = heap.widest.entry(request.path).or_default();
        *widest = airborne.max(*widest);
        heap.calls.len() - 1
    }

    fn lands(&self, place: usize, landed: &Result<Response, Failure>) {
        let mut heap = self.heap.borrow_mut();
        let path = heap.calls[place].path;
        heap.calls[place].landed = Some(self.now());
        heap.calls[place].back = match landed {
            Ok(response) => heap.read(response),
            Err(Failure::Connect(_)) => Back::NotSent,
            Err(_) => Back::Unreadable,
        };
        if let Some(airborne) = heap.airborne.get_mut(path) {
            *airborne -= 1;
        }
    }
}

fn who(asked: &ConvertRequest<'_>) -> String {
    let corpid = asked.corpid.as_deref().unwrap_or_default();
    format!("{} {} {corpid}", asked.unionid, asked.openid)
}

impl Heap {
    fn read(&mut self, response: &Response) -> Back {
        let reply: Option<serde_json::Value> = serde_json::from_slice(&response.body).ok();
        let Some(reply) = reply.filter(|_| response.status == 200) else {
            return Back::Unreadable;
        };
        if let Some(token) = reply["access_token"].as_str() {
            self.secrets.insert(token.to_owned());
        }
        if let Some(ticket) = reply["mass_call_ticket"].as_str() {
            self.tickets.insert(ticket.to_owned());
        }
        reply["errcode"]
            .as_i64()
            .map_or(Back::Unreadable, Back::Errcode)
    }
}

impl Transport for Ear {
    fn send(&self, request: Request) -> Sending<'static> {
        let ear = self.clone();
        Box::pin(async move {
            let place = ear.leaves(&request);
            let landed = ear.wire.send(request).await;
            ear.lands(place, &landed);
            landed
        })
    }
}
