//! Every text of the page and of the report, in English and in Chinese: the one table.

use std::{borrow::Cow, time::Duration};

use crate::{
    clock::Timestamp,
    format::{duration, moment},
    job::{
        Details, RefusedSubjects,
        status::{RunState, Status},
    },
    model::{QuotaWindow, State},
};

/// A text in both languages.
#[derive(Debug, Clone)]
pub(super) struct Bilingual {
    pub(super) en: Cow<'static, str>,
    pub(super) zh: Cow<'static, str>,
}

const fn both(en: &'static str, zh: &'static str) -> Bilingual {
    Bilingual {
        en: Cow::Borrowed(en),
        zh: Cow::Borrowed(zh),
    }
}

fn of(en: impl Into<Cow<'static, str>>, zh: impl Into<Cow<'static, str>>) -> Bilingual {
    Bilingual {
        en: en.into(),
        zh: zh.into(),
    }
}

pub(super) static ANSWERED: Bilingual = both("answered", "已有结果");
pub(super) static LEFT_TO_ASK: Bilingual = both("to be asked", "待查询");
pub(super) static ASKED_AGAIN: Bilingual = both("to be asked again", "待复查");
pub(super) static CALLS: Bilingual = both("calls", "调用次数");
pub(super) static CALLS_OF_RUN: Bilingual = both("calls of this run", "本次运行调用");
pub(super) static CALLS_NOW: Bilingual = both("calls in the last minute", "最近一分钟调用");
pub(super) static CALLS_PER_SUBJECT: Bilingual = both("calls per answer", "每个结果的调用次数");
pub(super) static LINKS: Bilingual = both("links", "对应关系");
pub(super) static DEALERS: Bilingual = both("Dealers", "经销商（下游企业）");
pub(super) static DEALER: Bilingual = both("downstream corp", "下游企业");
pub(super) static QUOTA: Bilingual = both("Quota", "额度");
pub(super) static CALLS_A_MINUTE: Bilingual = both("calls a minute", "每分钟调用次数");
pub(super) static TIMELINE: Bilingual = both("Calls a minute", "每分钟调用次数");
pub(super) static LIMIT: Bilingual = both("limits, if used evenly", "限额（按每分钟平均）");
pub(super) static WAITED_FOR_QUOTA: Bilingual = both("waits for quota", "等待额度");
pub(super) static WAITED_FOR_API: Bilingual = both("waits for the API", "等待接口恢复");
pub(super) static PAUSED: Bilingual = both("paused", "暂停");
pub(super) static OUTCOMES: Bilingual = both("Outcomes", "结果");
pub(super) static SUBJECTS: Bilingual = both("subjects", "人数");
pub(super) static SHARE: Bilingual = both("share", "占比");
pub(super) static ERRORS: Bilingual = both("Errors", "错误");
pub(super) static WAITS: Bilingual = both("Waits", "等待时间");
pub(super) static RUNS: Bilingual = both("Runs", "历次运行");
pub(super) static INPUTS: Bilingual = both("Inputs", "输入文件");
pub(super) static LINES: Bilingual = both("lines", "行");
pub(super) static INVALID: Bilingual = both("invalid", "无效");
pub(super) static NEW: Bilingual = both("new subjects", "新增人数");
pub(super) static STARTED: Bilingual = both("started", "开始");
pub(super) static TOOK: Bilingual = both("took", "用时");
pub(super) static HOW_IT_ENDED: Bilingual = both("how it ended", "结束情况");
pub(super) static NO_ERRORS: Bilingual =
    both("Nothing was refused or parked.", "没有被拒绝或搁置的记录。");
pub(super) static NO_LINKS: Bilingual = both("No links yet.", "还没有对应关系。");
pub(super) static NO_WAITS: Bilingual = both("It has not waited.", "没有等待过。");
pub(super) static BROKE_OFF: Bilingual = both("broke off", "异常中断");
pub(super) static NO_RUNS: Bilingual = both("Nothing has been run yet.", "尚未运行。");
pub(super) static NO_CALLS: Bilingual = both("No calls yet.", "还没有调用。");
pub(super) static NO_LIMITS: Bilingual = both("No window has a limit.", "没有限额。");
pub(super) static STARTING: Bilingual = both(
    "The run is starting: its job file cannot be read yet.",
    "正在启动：作业文件暂时无法读取。",
);
pub(super) static LOST: Bilingual = both(
    "No connection: the run has ended, or cannot be reached. What is shown is the last that was heard; it connects again by itself.",
    "连接中断：运行已结束或无法访问。以下为最后收到的内容，恢复后自动重连。",
);
pub(super) static RECENTLY: Bilingual = both("the last three hours", "最近三小时");
pub(super) static ALL_ALONG: Bilingual = both("the whole job", "整个作业");
pub(super) static BY_CLOCK: Bilingual = both("Times are UTC+8.", "时间均为 UTC+8。");
pub(super) static NO_PERSONS: Bilingual =
    both("Nothing here names a follower.", "本页不含任何粉丝的标识。");

/// The state of a subject, in a word.
pub(super) const fn state(state: State) -> Bilingual {
    match state {
        State::Queued => both("queued", "待查询"),
        State::Linked => both("linked", "已对应"),
        State::Unlinked => both("unlinked", "无对应"),
        State::Rejected => both("rejected", "被拒绝"),
        State::Parked => both("parked", "待处理"),
    }
}

/// The same, in a sentence.
pub(super) const fn state_meaning(state: State) -> Bilingual {
    match state {
        State::Queued => both("no answer yet", "还没有结果"),
        State::Linked => both(
            "at least one dealer has this person",
            "至少有一家经销商添加了此人",
        ),
        State::Unlinked => both("no dealer has this person now", "目前没有经销商添加此人"),
        State::Rejected => both("refused by the API for good", "接口明确拒绝"),
        State::Parked => both(
            "not answered; idferry retry asks again",
            "未查出；可用 idferry retry 再查",
        ),
    }
}

/// The class of a state in the style sheet.
pub(super) const fn state_class(state: State) -> &'static str {
    match state {
        State::Queued => "rest",
        State::Linked => "linked",
        State::Unlinked => "unlinked",
        State::Rejected => "rejected",
        State::Parked => "parked",
    }
}

/// What a window counts.
pub(super) const fn window(window: QuotaWindow) -> Bilingual {
    match window {
        QuotaWindow::BasicMinute => both("all calls, a minute", "全部调用，每分钟"),
        QuotaWindow::BasicHour => both("all calls, an hour", "全部调用，每小时"),
        QuotaWindow::BusinessHour => both("without a ticket, an hour", "无凭据，每小时"),
        QuotaWindow::BusinessDay => both("without a ticket, a day", "无凭据，每天"),
        QuotaWindow::BusinessMonth => both("without a ticket, a month", "无凭据，每月"),
        QuotaWindow::IpMinute => both("all corps of this IP, a minute", "本 IP 全部企业，每分钟"),
        QuotaWindow::IpHour => both("all corps of this IP, an hour", "本 IP 全部企业，每小时"),
    }
}

/// What the latest run does, in two words, with its class in the style sheet.
pub(super) fn run_state(status: &Status) -> (Bilingual, &'static str) {
    let code = status.run.as_ref().and_then(|run| run.exit_code);
    match status.state {
        RunState::None => (both("Not run yet", "尚未运行"), "idle"),
        RunState::Working if status.activity.is_some() => (both("Importing", "正在导入"), "good"),
        RunState::Working => (both("Running", "运行中"), "good"),
        RunState::Waiting => (both("Waiting", "等待中"), "wait"),
        RunState::Ended if code == Some(0) => (both("Finished", "已完成"), "good"),
        RunState::Ended if matches!(code, Some(3)) => (
            both("Finished, with refusals", "已完成，有被拒绝的"),
            "wait",
        ),
        RunState::Ended if matches!(code, Some(75 | 130)) => {
            (both("Stopped, work is left", "已停止，尚有未完成"), "wait")
        }
        RunState::Ended => (both("Halted", "已中止"), "bad"),
        RunState::BrokeOff => (both("Broke off", "异常中断"), "bad"),
    }
}

/// What the latest run does and why, in a sentence.
pub(super) fn what_it_does(status: &Status) -> Option<Bilingual> {
    if let Some(wait) = &status.waiting {
        let (why, end) = (hold(&wait.code, &wait.reason), wait.until);
        let end = end.filter(|until| *until > status.now);
        let until = end.map(|at| until(at, status.now));
        return Some(match until {
            Some(until) => of(
                format!("{}, until {}", why.en, until.en),
                format!("{}，到 {}", why.zh, until.zh),
            ),
            None => why,
        });
    }
    if let Some(activity) = &status.activity {
        let chinese = match activity.strip_prefix("importing ") {
            Some(files) => format!("正在导入 {files}"),
            None => activity.clone(),
        };
        return Some(of(activity.clone(), chinese));
    }
    let run = status.run.as_ref()?;
    match (status.state, run.exit_code) {
        (RunState::Ended, Some(code)) => {
            let said = run.ended.as_ref().and_then(|said| said["text"].as_str());
            // The state before it says so already.
            let said = said.map(|said| {
                let states = ["Finished: ", "Stopped: ", "Halted: "];
                let bare = states.iter().find_map(|state| said.strip_prefix(state));
                bare.unwrap_or(said)
            });
            let english = said.map_or_else(|| exit(code).en, |said| said.to_owned().into());
            Some(of(english, exit(code).zh))
        }
        (RunState::BrokeOff, _) => Some(both(
            "its process is gone; everything committed is saved, the same command resumes",
            "进程已不存在；已提交的结果都已保存，再次运行同一命令即可续跑",
        )),
        _ => None,
    }
}

/// What an exit code says.
pub(super) fn exit(code: i64) -> Bilingual {
    match code {
        0 => both("everything is answered", "全部完成"),
        2 => both("nothing was sent", "用法或配置错误，未发送任何请求"),
        3 => both(
            "finished, but some subjects are rejected or parked, or some lines invalid",
            "完成，但有被拒绝、待处理或无效的行",
        ),
        4 => both("halted, the API refuses", "接口拒绝，已中止"),
        5 => both("halted, too many errors", "错误过多，已中止"),
        75 => both(
            "work is left, the same command resumes",
            "尚有未完成，再次运行同一命令即续跑",
        ),
        130 => both(
            "interrupted, the same command resumes",
            "被中断，再次运行同一命令即续跑",
        ),
        _ => both(
            "an error, the same command resumes",
            "出错，再次运行同一命令即续跑",
        ),
    }
}

/// A reason for waiting by its code, and in the words of the run.
fn hold(code: &str, reason: &str) -> Bilingual {
    let (code, window) = code.split_once(' ').unwrap_or((code, ""));
    let chinese = match code {
        "pace" => "按每分钟限额匀速".to_owned(),
        "window" => format!("{window} 额度已用完"),
        "block" => "被接口封禁（45009 接口调用超过限制）".to_owned(),
        "width" => "接口并发超限（45033 接口并发调用超过限制）".to_owned(),
        "retry" => "等待重试".to_owned(),
        "token" => "获取 access_token".to_owned(),
        "ticket" => "核对大批量调用凭据".to_owned(),
        "outage" => "接口异常或无法连接".to_owned(),
        "paused" => "已暂停".to_owned(),
        "question" => "等待在终端上回答是否申请大批量调用凭据".to_owned(),
        _ => reason.to_owned(),
    };
    of(reason.to_owned(), chinese)
}

/// A reason for waiting by its code alone, for sums.
pub(super) fn wait_name(code: &str) -> Bilingual {
    let english = match code {
        "pace" => "pace of the minute limit".to_owned(),
        "block" => "locked out by the API (45009)".to_owned(),
        "width" => "too many calls at once (45033)".to_owned(),
        "retry" => "the next attempt".to_owned(),
        "token" => "an access token".to_owned(),
        "ticket" => "checking the ticket".to_owned(),
        "outage" => "the API out of order or not reached".to_owned(),
        "paused" => "paused by an operator".to_owned(),
        "question" => "a question on the terminal".to_owned(),
        other => match other.strip_prefix("window ") {
            Some(window) => format!("{window} is used up"),
            None => other.to_owned(),
        },
    };
    hold(code, &english)
}

/// The class of a wait in the style sheet, by its code; `None` for one that is not worth drawing.
pub(super) fn wait_class(code: &str) -> Option<&'static str> {
    match code.split(' ').next().unwrap_or_default() {
        "window" | "block" => Some("quota"),
        "paused" | "question" => Some("wish"),
        "outage" | "token" | "ticket" | "width" => Some("trouble"),
        _ => None,
    }
}

/// What refused subjects, and what to do.
pub(super) fn refusal(refused: &RefusedSubjects) -> (Bilingual, &'static str) {
    let Some(code) = refused.errcode else {
        let why = both(
            "no readable reply in any attempt",
            "多次尝试均未收到可读的回复",
        );
        return (why, "retry them once the network and the API work again");
    };
    let (meaning, chinese) = refused
        .entry
        .map_or(("", ""), |entry| (entry.meaning, entry.chinese));
    let next = refused.entry.map_or("", |entry| entry.next_step);
    let chinese = if chinese.is_empty() { meaning } else { chinese };
    let text = of(format!("{code} {meaning}"), format!("{code} {chinese}"));
    (text, next)
}

/// How much of a window is used and left, or when there is room again.
pub(super) fn room(left: &str, room_at: Option<Timestamp>, now: Timestamp) -> Bilingual {
    match room_at.map(|at| until(at, now)) {
        Some(at) => of(
            format!("full, room at {}", at.en),
            format!("已满，恢复时间 {}", at.zh),
        ),
        None => of(format!("{left} left"), format!("剩余 {left}")),
    }
}

/// When everything will be answered.
pub(super) fn finish(details: &Details) -> Option<Bilingual> {
    let status = &details.status;
    if status.subjects.of(State::Queued) + status.asked_again == 0 {
        return None;
    }
    let Some(at) = status.eta else {
        return Some(both(
            "No end is foreseeable: a window allows no call.",
            "无法预计完成时间：有窗口不允许任何调用。",
        ));
    };
    let span = at.since(status.now);
    if !status.running {
        return Some(of(
            format!("What is left would take {} from now.", duration(span)),
            format!("剩余部分还需 {}。", chinese_duration(span)),
        ));
    }
    let at = until(at, status.now);
    Some(of(
        format!("All answered about {}.", at.en),
        format!("预计全部完成：{}", at.zh),
    ))
}

/// `12:41:02 (in 30 min 31 s)`
pub(super) fn until(at: Timestamp, now: Timestamp) -> Bilingual {
    let (moment, span) = (moment(at, now), at.since(now));
    of(
        format!("{moment} (in {})", duration(span)),
        format!("{moment}（{}后）", chinese_duration(span)),
    )
}

/// A span of time.
pub(super) fn span(span: Duration) -> Bilingual {
    of(duration(span), chinese_duration(span))
}

/// The latest moment that is shown.
pub(super) fn as_of(at: &str) -> Bilingual {
    of(format!("as of {at}"), format!("截至 {at}"))
}

/// So many more rows than are shown.
pub(super) fn and_more(number: &str) -> Bilingual {
    of(format!("and {number} more"), format!("另有 {number} 项"))
}

/// `3 d 4 h` as `3 天 4 小时`.
fn chinese_duration(span: Duration) -> String {
    let words = duration(span);
    let words = words.split(' ').map(|word| match word {
        "d" => "天",
        "h" => "小时",
        "min" => "分",
        "s" => "秒",
        "ms" => "毫秒",
        "never" => "无期限",
        number => number,
    });
    words.collect::<Vec<_>>().join(" ")
}
