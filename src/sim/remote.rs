//! The remote: told the time and a call, it says what comes back and when.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use fastrand::Rng;

use super::{
    api::SimEndpoint,
    call::{ApiAnswer, ApiCall, Reply, ResponseBody},
    calls_in_flight::CallsInFlight,
    faults::Fault,
    forced::Forced,
    latency::Legs,
    options::SimOptions,
    parsed_request::ParsedRequest,
    pending_ids::PendingIds,
    rate_limiter::{Admission, RateLimiter},
    reply,
    secret_guard::SecretGuard,
    stats::Stats,
    ticket::TicketRegistry,
    token::TokenRegistry,
    world::World,
};
use crate::{
    clock::{Clock, LedgerClock, Timestamp},
    model::QuotaWindow,
    wecom::transport::Request,
};

/// How much longer a slow answer takes.
const SLOW: u32 = 20;

/// The simulated WeCom API of one upstream corp.
// fields: one for each thing that the real service keeps, and those that tests set.
pub struct SimulatedRemote {
    pub(super) options: SimOptions,
    pub(super) world: World,
    pub(super) rng: Rng,
    pub(super) tokens: TokenRegistry,
    pub(super) ticket: TicketRegistry,
    pub(super) asked: PendingIds,
    pub(super) lockout: SecretGuard,
    pub(super) forced: HashMap<String, i64>,
    pub(super) stats: Stats,
    pub(super) corp_id: String,
    pub(super) corp_secret: String,
    books: LedgerClock,
    meter: RateLimiter,
    air: [CallsInFlight; SimEndpoint::COUNT],
    answered: [u64; SimEndpoint::COUNT],
    refused_45033: [u64; SimEndpoint::COUNT],
    drawn: [u64; Fault::COUNT],
    script: VecDeque<Forced>,
    abandoned: Vec<AbandonedCall>,
    latest: Timestamp,
    down: bool,
}

/// A call still on its way when its sender died.
struct AbandonedCall {
    arrives: Timestamp,
    request: Request,
    back: Duration,
}

impl SimulatedRemote {
    /// A remote that opens its books now.
    #[must_use]
    pub fn new(clock: Clock, options: SimOptions) -> Self {
        let books = LedgerClock::resume(clock, None);
        let seed = options.seed;
        // The real ones are `ww` + 16 hex and 43 characters; these say what they are.
        let (corp, secret) = (seed & 0x0fff_ffff, seed.rotate_left(17) ^ 0x5eed);
        Self {
            options,
            world: World::new(seed, options.world),
            rng: Rng::with_seed(seed),
            tokens: TokenRegistry::new(options.token_life),
            ticket: TicketRegistry::new(options.ticket_again),
            asked: PendingIds::default(),
            lockout: SecretGuard::default(),
            forced: HashMap::new(),
            stats: Stats {
                seed,
                ..Stats::default()
            },
            corp_id: format!("wwsimulated{corp:07x}"),
            corp_secret: format!("simulated-not-a-real-secret-{secret:016x}"),
            meter: RateLimiter::new(options.meter(), books.now()),
            air: Default::default(),
            answered: [0; SimEndpoint::COUNT],
            refused_45033: [0; SimEndpoint::COUNT],
            drawn: [0; Fault::COUNT],
            script: VecDeque::new(),
            abandoned: Vec::new(),
            latest: books.now(),
            down: false,
            books,
        }
    }

    /// The corpid that `gettoken` accepts; 18 characters that cannot be mistaken for a real one.
    #[must_use]
    pub fn corp_id(&self) -> &str {
        &self.corp_id
    }

    /// The corpsecret that `gettoken` accepts.
    #[must_use]
    pub fn corp_secret(&self) -> &str {
        &self.corp_secret
    }

    /// Who is whose customer.
    #[must_use]
    pub const fn world(&self) -> &World {
        &self.world
    }

    /// The options it was made with.
    #[must_use]
    pub const fn options(&self) -> &SimOptions {
        &self.options
    }

    /// The remote's own time, which nobody sets: a client whose date is wrong meets it unmoved.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.books.now()
    }

    /// Draws how long the next call takes, and when in it the call arrives.
    pub fn legs(&mut self) -> Legs {
        self.options.latency.legs(&mut self.rng)
    }

    /// What comes back to `call`, which arrives at `now`; the whole latency lies after arrival.
    pub fn answer(&mut self, now: Timestamp, call: &ApiCall<'_>) -> ApiAnswer {
        let back = self.options.latency.draw(&mut self.rng);
        self.arrive(now, call, back)
    }

    /// What comes back to `call`, which arrives at `now`, if answering takes `back` when nothing
    /// is amiss. A `now` before an earlier one counts as that one.
    pub fn arrive(&mut self, now: Timestamp, call: &ApiCall<'_>, back: Duration) -> ApiAnswer {
        self.let_orphans_arrive(now);
        self.meet(now, call, back)
    }

    /// A call whose sender has died arrives in `left` from now; nobody hears the answer.
    pub(super) fn expect_orphan(&mut self, request: Request, left: Duration, back: Duration) {
        let arrives = self.now().plus(left);
        let after = |orphan: &AbandonedCall| orphan.arrives <= arrives;
        let place = self.abandoned.partition_point(after);
        self.abandoned.insert(
            place,
            AbandonedCall {
                arrives,
                request,
                back,
            },
        );
    }

    fn let_orphans_arrive(&mut self, now: Timestamp) {
        let due = |orphan: &AbandonedCall| orphan.arrives <= now;
        let due = self.abandoned.partition_point(due);
        let due: Vec<AbandonedCall> = self.abandoned.drain(..due).collect();
        for orphan in due {
            let call = ApiCall::from(&orphan.request);
            self.meet(orphan.arrives, &call, orphan.back);
        }
    }

    fn meet(&mut self, now: Timestamp, call: &ApiCall<'_>, back: Duration) -> ApiAnswer {
        self.latest = self.latest.max(now);
        let now = self.latest;
        if self.down {
            return uncounted(ResponseBody::Down, Duration::ZERO);
        }
        let Some(api) = SimEndpoint::at(call.path) else {
            self.stats.not_found += 1;
            return uncounted(ResponseBody::Reply(Reply::page(404)), back);
        };
        let forced = self.draw(api);
        let fault = match forced {
            Forced::Fault(fault) => Some(fault),
            _ => None,
        };
        if fault == Some(Fault::ResetBefore) {
            return uncounted(ResponseBody::Reset, back);
        }
        let delay = if fault == Some(Fault::Slow) {
            back.saturating_mul(SLOW)
        } else {
            back
        };
        let reply = self.reply(now, api, call, forced, delay);
        self.deliver(api, reply, fault, delay)
    }

    /// What chance or the script has in store for a call of `api`. The ticket is spared by
    /// chance: there is only one, and losing it teaches nothing that a script cannot.
    fn draw(&mut self, api: SimEndpoint) -> Forced {
        let scripted = match api {
            SimEndpoint::Lookup => self.script.pop_front(),
            _ => None,
        };
        let forced = scripted.unwrap_or_else(|| match api {
            SimEndpoint::Ticket => Forced::Pass,
            _ => self
                .options
                .faults
                .draw(&mut self.rng)
                .map_or(Forced::Pass, Forced::Fault),
        });
        if let Forced::Fault(fault) = forced {
            self.drawn[fault as usize] += 1;
        }
        forced
    }

    /// Counts the call, then refuses or answers it.
    fn reply(
        &mut self,
        now: Timestamp,
        api: SimEndpoint,
        call: &ApiCall<'_>,
        forced: Forced,
        delay: Duration,
    ) -> Reply {
        let ask = ParsedRequest::read(api, call);
        let ticketed = ask
            .ticket()
            .is_some_and(|ticket| self.ticket.check(now, ticket).is_ok());
        if self.meter.arrive(now, api, ticketed) == Admission::Refused {
            return self.error(api, 45_009, now);
        }
        if self.crowded(now, api, forced, delay) {
            self.refused_45033[api as usize] += 1;
            return self.error(api, 45_033, now);
        }
        self.instead(now, api, forced).unwrap_or_else(|| {
            let warned = forced == Forced::Fault(Fault::Warning);
            let ok = if warned {
                reply::OK_WITH_WARNING
            } else {
                reply::OK
            };
            self.respond(now, api, &ask, call, ok)
        })
    }

    /// The reply that is given instead of the right one, if any.
    fn instead(&mut self, now: Timestamp, api: SimEndpoint, forced: Forced) -> Option<Reply> {
        match forced {
            Forced::Errcode(errcode) => Some(self.error(api, errcode, now)),
            Forced::Status(status) => Some(Reply::page(status)),
            Forced::Fault(Fault::Busy) => Some(self.error(api, -1, now)),
            Forced::Fault(Fault::Http5xx) => {
                let status = self.rng.choice([500, 502, 503, 504]);
                Some(Reply::page(status.unwrap_or(500)))
            }
            Forced::Fault(Fault::TokenKilled) => {
                self.kill_token_at(now);
                None
            }
            Forced::Fault(_) | Forced::Pass => None,
        }
    }

    fn crowded(
        &mut self,
        now: Timestamp,
        api: SimEndpoint,
        forced: Forced,
        delay: Duration,
    ) -> bool {
        match forced {
            Forced::Fault(Fault::Concurrent) => true,
            // A call that is lost in the remote's depths holds no place.
            Forced::Fault(Fault::Hang) => false,
            _ => {
                let limit = self.options.concurrent;
                !self.air[api as usize].enter(now, now.plus(delay), limit)
            }
        }
    }

    fn deliver(
        &mut self,
        api: SimEndpoint,
        reply: Reply,
        fault: Option<Fault>,
        delay: Duration,
    ) -> ApiAnswer {
        let what = match fault {
            Some(Fault::ResetAfter) => ResponseBody::Reset,
            Some(Fault::Hang) => ResponseBody::Hang,
            Some(Fault::Cut) => ResponseBody::Cut(reply),
            Some(Fault::Invalid) => ResponseBody::Reply(reply.spoilt(&mut self.rng)),
            _ => {
                let answered = reply.status == 200 && reply.errcode == 0;
                self.answered[api as usize] += u64::from(answered);
                ResponseBody::Reply(reply)
            }
        };
        ApiAnswer {
            what,
            delay,
            counted: true,
        }
    }

    pub(super) fn error(&mut self, api: SimEndpoint, errcode: i64, now: Timestamp) -> Reply {
        Reply::error(api, errcode, now, &mut self.rng)
    }

    /// What it saw so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = self.stats.clone();
        for api in SimEndpoint::ALL {
            if let Some(mut lane) = self.meter.stats(api) {
                lane.answered = self.answered[api as usize];
                lane.refused_45033 = self.refused_45033[api as usize];
                lane.peak_in_air = self.air[api as usize].peak;
                stats.lanes.insert(api.path(), lane);
            }
        }
        let drawn = Fault::ALL
            .into_iter()
            .zip(self.drawn)
            .filter(|(_, times)| *times > 0);
        stats.faults = drawn.map(|(fault, times)| (fault.name(), times)).collect();
        stats
    }
}

/// For scenarios: what chance would not do at the right moment.
impl SimulatedRemote {
    /// The current access token dies now: 40014 until another is fetched.
    pub fn kill_token(&mut self) {
        self.kill_token_at(self.latest.max(self.now()));
    }

    fn kill_token_at(&mut self, now: Timestamp) {
        self.stats.tokens_killed += u64::from(self.tokens.kill(now));
    }

    /// Lookups that `window` holds now, those of others included: what a client's own books are
    /// held against.
    pub fn lookups_in(&mut self, window: QuotaWindow) -> u64 {
        let now = self.latest.max(self.now());
        self.let_orphans_arrive(now);
        self.latest = now;
        self.meter.holds(now, SimEndpoint::Lookup, window)
    }

    /// Decides about the next lookups, one each, in order of arrival.
    pub fn script(&mut self, forced: impl IntoIterator<Item = Forced>) {
        self.script.extend(forced);
    }

    /// Every lookup of `unionid` gets `errcode` from now on; `None` forgets it.
    pub fn force(&mut self, unionid: &str, errcode: Option<i64>) {
        match errcode {
            Some(errcode) => self.forced.insert(unionid.to_owned(), errcode),
            None => self.forced.remove(unionid),
        };
    }

    /// Whether no connection comes about at all.
    pub const fn set_down(&mut self, down: bool) {
        self.down = down;
    }

    /// Misbehaves in another way from now on.
    pub const fn set_faults(&mut self, faults: super::Faults) {
        self.options.faults = faults;
    }
}

const fn uncounted(what: ResponseBody, delay: Duration) -> ApiAnswer {
    ApiAnswer {
        what,
        delay,
        counted: false,
    }
}
