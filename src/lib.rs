//! # idferry
//!
//! Converts WeChat (unionid, openid) pairs to the `external_userid`s by which a brand's dealers
//! know the same people in WeCom (企业微信): one HTTPS call each, within every quota, without
//! losing an answer.
//!
//! # The tour
//!
//! The modules are listed in the order in which a row passes through them; imports run towards
//! the top of the list only.
//!
//! | module | |
//! | --- | --- |
//! | [`model`], [`clock`], [`secret`], `format` | nouns, published limits, time, secrets, how numbers are written |
//! | [`intake`] | bytes of an input become rows, or say why not |
//! | [`gate`] | when the next call may leave |
//! | [`store`] | the job file: subjects, answers, runs |
//! | [`quota`], [`ledger`] | what calls cost: the arithmetic, and the corp's account on disk |
//! | [`wecom`] | one call: request, reply, verdict |
//! | [`runner`] | the loop that makes the calls |
//! | [`plan`] | how long it will take |
//! | [`export`] | answers become files |
//! | [`sim`] | the remote in small, and worse |
//! | [`job`] | what a command does: a run assembled, rehearsed, looked at |
//! | [`report`] | what people and programs see |
//! | `config`, [`cli`] | settings, and the command line |
//!
//! # The words
//!
//! | word | |
//! | --- | --- |
//! | subject | a (unionid, openid) pair, perhaps within one downstream corp: what is looked up |
//! | link | a downstream corp and the external_userid by which it knows a subject |
//! | source | an input that was imported |
//! | pass | answers that are asked for again: the parked, the unlinked, the linked; none is deleted |
//! | job | the sources, subjects and answers of one job file |
//! | ledger | the calls charged in each window, for all jobs of a corp, durable |
//! | window | a span of time with a limit of calls (D90454, D95818) |
//! | charge | a call counted in every window that applies, before it is sent |
//! | permit | charges that are admitted and not yet committed |
//! | paid | a call whose charge is committed; only such a call can be sent |
//! | hold | why the next call waits, and until when |
//! | wish | what an operator asks of a run from elsewhere: pause, throttle, stop |
//! | lockout | the API refuses all calls for a time (45009) |
//! | ticket | `mass_call_ticket` (大批量调用凭据): lifts the business windows for seven days, once |
//! | verdict | what a reply says about its subject |
//! | outcome | where a subject stands: queued, linked, unlinked, rejected or parked |
//! | parked | attempts used up, or an unclassified code; `idferry retry` looks it up again |
//! | rehearsal | a run in virtual time against the simulator in memory |
//! | sandbox | a run over real HTTP against a simulator inside the process |
//!
//! Facts about the API are cited by the number of their page: D95818 stands for
//! `https://developer.work.weixin.qq.com/document/path/95818`.

pub mod model;

pub mod clock;
mod format;
pub mod secret;

pub mod intake;

pub mod quota;

pub mod gate;

pub mod store;

pub mod ledger;

pub mod wecom;

pub mod runner;

pub mod plan;

pub mod export;

pub mod sim;

pub mod job;

pub mod report;

mod config;

pub mod cli;
