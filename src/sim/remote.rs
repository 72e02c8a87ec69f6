//! The remote: told the time and a call, it returns what comes back and when.

use std::time::Duration;

use fastrand::Rng;

use super::{
    api::SimEndpoint,
    arrivals::Arrivals,
    bursts::burst_at,
    call::{ApiAnswer, ApiCall, Reply, ResponseBody},
    credential_script::CredentialScript,
    credentials::AppCredentials,
    fault_script::{FaultScript, Forced},
    faults::{Fault, Faults},
    latency::Legs,
    options::SimOptions,
    parsed_request::ParsedRequest,
    pending_ids::PendingIdRegistry,
    rate_limiter::{Admission, RateLimiter},
    reply,
    stats::Stats,
    ticket::TicketRegistry,
    token::TokenRegistry,
    traffic::EndpointTraffic,
    world::World,
};
use crate::{
    clock::{Clock, Timestamp},
    model::{QuotaWindow, WindowKind},
    wecom::transport::Request,
};

/// How many times longer a slow answer takes.
const SLOW: u32 = 20;

/// The simulated WeCom API of one upstream corp.
pub struct SimulatedRemote {
    pub(super) options: SimOptions,
    pub(super) world: World,
    pub(super) rng: Rng,
    pub(super) credentials: AppCredentials,
    pub(super) tokens: TokenRegistry,
    pub(super) ticket: TicketRegistry,
    pub(super) pending_ids: PendingIdRegistry,
    pub(super) script: FaultScript,
    pub(super) orders: CredentialScript,
    pub(super) stats: Stats,
    arrivals: Arrivals,
    rate_limiter: RateLimiter,
    traffic: [EndpointTraffic; SimEndpoint::COUNT],
}

/// A call that has arrived.
pub(super) struct IncomingCall<'c> {
    pub(super) now: Timestamp,
    pub(super) api: SimEndpoint,
    pub(super) call: &'c ApiCall<'c>,
    pub(super) forced: Forced,
    /// From arrival to answer.
    pub(super) delay: Duration,
}

impl SimulatedRemote {
    /// Creates a remote that has seen no call.
    #[must_use]
    pub fn new(clock: Clock, options: SimOptions) -> Self {
        let arrivals = Arrivals::new(clock, options.clock_ahead_millis);
        let seed = options.seed;
        Self {
            options,
            world: World::new(seed, options.world),
            rng: Rng::with_seed(seed),
            credentials: AppCredentials::of(seed),
            tokens: TokenRegistry::new(options.token_life),
            ticket: TicketRegistry::new(options.ticket_again),
            pending_ids: PendingIdRegistry::default(),
            script: FaultScript::default(),
            orders: CredentialScript::default(),
            stats: Stats {
                seed,
                ..Stats::default()
            },
            rate_limiter: RateLimiter::new(options.rate_limiter(), arrivals.now()),
            traffic: Default::default(),
            arrivals,
        }
    }

    /// The corpid that `gettoken` accepts: 18 characters that no real one has.
    #[must_use]
    pub fn corp_id(&self) -> &str {
        &self.credentials.corp_id
    }

    /// The corpsecret that `gettoken` accepts.
    #[must_use]
    pub fn corp_secret(&self) -> &str {
        &self.credentials.corp_secret
    }

    /// The people and the corps.
    #[must_use]
    pub const fn world(&self) -> &World {
        &self.world
    }

    /// The options it was made with.
    #[must_use]
    pub const fn options(&self) -> &SimOptions {
        &self.options
    }

    /// The remote's own time. Setting the system clock does not move it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.arrivals.now()
    }

    /// Draws how long the next call takes, and when in that time it arrives.
    pub(super) fn legs(&mut self) -> Legs {
        self.options.latency.legs(&mut self.rng)
    }

    /// Returns what comes back to `call`, which arrives at `now`; all of the latency comes after
    /// that.
    pub(super) fn answer(&mut self, now: Timestamp, call: &ApiCall<'_>) -> ApiAnswer {
        let back = self.options.latency.draw(&mut self.rng);
        self.arrive(now, call, back)
    }

    /// Returns what comes back to `call`, which arrives at `now` and is answered after `back`
    /// unless a fault slows it down. A `now` before an earlier one counts as that one.
    pub(super) fn arrive(
        &mut self,
        now: Timestamp,
        call: &ApiCall<'_>,
        back: Duration,
    ) -> ApiAnswer {
        self.receive_abandoned(now);
        self.receive(now, call, back)
    }

    /// Lets a call arrive in `left` from now whose sender has given it up.
    pub(super) fn abandon(&mut self, request: Request, left: Duration, back: Duration) {
        self.arrivals.abandon(request, left, back);
    }

    fn receive_abandoned(&mut self, now: Timestamp) {
        for abandoned in self.arrivals.take_abandoned(now) {
            let call = ApiCall::from(&abandoned.request);
            self.receive(abandoned.arrives, &call, abandoned.back);
        }
    }

    fn receive(&mut self, now: Timestamp, call: &ApiCall<'_>, back: Duration) -> ApiAnswer {
        let now = self.arrivals.arrive(now);
        if self.script.is_down {
            return uncounted(ResponseBody::Down, Duration::ZERO);
        }
        let Some(api) = SimEndpoint::at(call.path) else {
            self.stats.not_found += 1;
            return uncounted(ResponseBody::Reply(Reply::page(404)), back);
        };
        let ordered = self.orders.draw(api);
        let SimOptions { seed, faults, .. } = &self.options;
        let burst = burst_at(*seed, now, faults.burst());
        let forced = match ordered {
            Some(forced) => forced,
            None => self.script.draw(api, burst, faults, &mut self.rng),
        };
        if forced.fault() == Some(Fault::ResetBefore) {
            return uncounted(ResponseBody::Reset, back);
        }
        let is_slow = forced.fault() == Some(Fault::Slow);
        let incoming = IncomingCall {
            now,
            api,
            call,
            forced,
            delay: if is_slow {
                back.saturating_mul(SLOW)
            } else {
                back
            },
        };
        let reply = self.reply(&incoming);
        self.deliver(&incoming, reply)
    }

    /// Counts the call, then refuses or answers it.
    fn reply(&mut self, incoming: &IncomingCall<'_>) -> Reply {
        let IncomingCall { now, api, .. } = *incoming;
        let request = ParsedRequest::read(api, incoming.call);
        let has_ticket = request
            .ticket()
            .is_some_and(|ticket| self.ticket.check(now, ticket).is_ok())
            && !self.orders.ignores_ticket;
        if self.rate_limiter.arrive(now, api, has_ticket) == Admission::Refused {
            return self.error(api, 45_009, now);
        }
        if self.is_overloaded(incoming) {
            self.traffic[api as usize].refused_45033 += 1;
            return self.error(api, 45_033, now);
        }
        if let Some(reply) = self.forced_reply(incoming) {
            return reply;
        }
        let errmsg = if incoming.forced.fault() == Some(Fault::Warning) {
            reply::OK_WITH_WARNING
        } else {
            reply::OK
        };
        self.respond(incoming, &request, errmsg)
    }

    /// Returns the reply that is given in place of the right one, if any.
    fn forced_reply(&mut self, incoming: &IncomingCall<'_>) -> Option<Reply> {
        let IncomingCall { now, api, .. } = *incoming;
        match incoming.forced {
            Forced::Errcode(errcode) => Some(self.error(api, errcode, now)),
            Forced::Status(status) => Some(Reply::page(status)),
            Forced::RetryAfter(status, seconds) => Some(Reply {
                retry_after: Some(Duration::from_secs(seconds.into())),
                ..Reply::page(status)
            }),
            Forced::Fault(Fault::Busy) => Some(self.error(api, -1, now)),
            Forced::Fault(Fault::Http5xx) => {
                let status = self.rng.choice([500, 502, 503, 504]);
                Some(Reply::page(status.unwrap_or(500)))
            }
            Forced::Fault(Fault::Page) => Some(Reply::page(200)),
            Forced::Fault(Fault::Redirect) => Some(Reply::page(302)),
            Forced::Fault(Fault::Http429) => Some(Reply::page(429)),
            Forced::Fault(Fault::Http4xx) => {
                let status = self.rng.choice([400, 401, 403, 404]);
                let mut reply = self.error(api, 40_058, now);
                reply.status = status.unwrap_or(400);
                Some(reply)
            }
            Forced::Fault(Fault::TokenKilled) => {
                self.kill_token_at(now);
                None
            }
            Forced::Fault(_) | Forced::Pass => None,
        }
    }

    fn is_overloaded(&mut self, incoming: &IncomingCall<'_>) -> bool {
        match incoming.forced {
            Forced::Fault(Fault::Concurrent) => true,
            // A call that is never answered takes no place.
            Forced::Fault(Fault::Hang) => false,
            _ => {
                let (now, limit) = (incoming.now, self.options.concurrent);
                let in_flight = &mut self.traffic[incoming.api as usize].in_flight;
                !in_flight.add(now, now.plus(incoming.delay), limit)
            }
        }
    }

    fn deliver(&mut self, incoming: &IncomingCall<'_>, reply: Reply) -> ApiAnswer {
        let body = match incoming.forced.fault() {
            Some(Fault::ResetAfter) => ResponseBody::Reset,
            Some(Fault::Hang) => ResponseBody::Hang,
            Some(Fault::Cut) => ResponseBody::Cut(reply),
            Some(Fault::Invalid) => ResponseBody::Reply(reply.made_invalid(&mut self.rng)),
            Some(Fault::Odd) => {
                self.traffic[incoming.api as usize].answered += u64::from(reply.is_success());
                ResponseBody::Reply(reply.made_odd(&mut self.rng))
            }
            _ => {
                self.traffic[incoming.api as usize].answered += u64::from(reply.is_success());
                ResponseBody::Reply(reply)
            }
        };
        ApiAnswer {
            body,
            delay: incoming.delay,
            counted: true,
        }
    }

    pub(super) fn error(&mut self, api: SimEndpoint, errcode: i64, now: Timestamp) -> Reply {
        Reply::error(api, errcode, now, &mut self.rng)
    }

    /// Returns everything counted so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = self.stats.clone();
        for (api, traffic) in SimEndpoint::ALL.into_iter().zip(&self.traffic) {
            if let Some(mut lane) = self.rate_limiter.stats(api) {
                lane.answered = traffic.answered;
                lane.refused_45033 = traffic.refused_45033;
                lane.peak_in_flight = traffic.in_flight.peak;
                stats.lanes.insert(api.path(), lane);
            }
        }
        let drawn = Fault::ALL.into_iter().zip(self.script.drawn);
        let drawn = drawn.filter(|(_, times)| *times > 0);
        stats.faults = drawn.map(|(fault, times)| (fault.name(), times)).collect();
        stats
    }
}

/// For tests: what chance would not do at the right moment.
impl SimulatedRemote {
    /// Kills the current access token: 40014 until another is fetched.
    pub fn kill_token(&mut self) {
        self.kill_token_at(self.arrivals.latest());
    }

    pub(super) fn kill_token_at(&mut self, now: Timestamp) {
        self.stats.tokens_killed += u64::from(self.tokens.kill(now));
    }

    /// Returns the lookups that `window` counts now, if windows begin as `kind` says, those of other
    /// systems included: what a client's own ledger is compared with.
    pub fn lookups_in(&mut self, window: QuotaWindow, kind: WindowKind) -> u64 {
        let now = self.arrivals.latest();
        self.receive_abandoned(now);
        let now = self.arrivals.arrive(now);
        let reading = (window, kind);
        self.rate_limiter.counted(now, SimEndpoint::Lookup, reading)
    }

    /// Orders what happens to the next lookups, one each, in order of arrival.
    pub fn script(&mut self, forced: impl IntoIterator<Item = Forced>) {
        self.script.next.extend(forced);
    }

    /// Orders what happens to every lookup from now on; by chance again if `None`.
    pub const fn force_all(&mut self, forced: Option<Forced>) {
        self.script.every = forced;
    }

    /// The same of calls for pending_ids.
    pub const fn force_pending_ids(&mut self, forced: Option<Forced>) {
        self.script.every_pending_id = forced;
    }

    /// Answers every lookup of `unionid` with `errcode` from now on; as usual again if `None`.
    pub fn force(&mut self, unionid: &str, errcode: Option<i64>) {
        match errcode {
            Some(errcode) => self.script.by_unionid.insert(unionid.to_owned(), errcode),
            None => self.script.by_unionid.remove(unionid),
        };
    }

    /// Sets whether no connection can be made at all.
    pub const fn set_down(&mut self, is_down: bool) {
        self.script.is_down = is_down;
    }

    /// Sets how likely each fault is from now on.
    pub const fn set_faults(&mut self, faults: Faults) {
        self.options.faults = faults;
    }
}

const fn uncounted(body: ResponseBody, delay: Duration) -> ApiAnswer {
    ApiAnswer {
        body,
        delay,
        counted: false,
    }
}
