//! # idferry
//!
//! Ferries WeChat (unionid, openid) pairs to the `external_userid`s by which a brand's dealers
//! know the same people in WeCom (企业微信), one HTTPS call each, inside every quota, without
//! losing an answer.
//!
//! The modules stand in the order in which a row passes through them: it enters at [`intake`],
//! rests in [`store`], waits at [`gate`], is asked in [`wecom`], is driven by [`runner`] and
//! leaves by [`export`]. [`plan`] plays the windows forward, [`report`] is what people see,
//! [`sim`] is the remote in small, [`rehearsal`] runs
//! all of it in virtual time, [`cli`] is where a command line becomes all of this.
//!
//! Facts about the API are cited by the number of their page: D95818 stands for
//! `https://developer.work.weixin.qq.com/document/path/95818`.

pub mod model;

pub mod clock;
pub mod secret;

pub mod intake;

pub mod store;

pub mod quota;

pub mod gate;

pub mod wecom;

pub mod runner;

pub mod plan;

pub mod export;

pub mod report;

pub mod sim;

pub mod rehearsal;

pub mod config;

pub mod cli;
