//! The table of error codes, ascending. Classes are derived from D90313 and D90455; the Chinese
//! terms are the official ones.

use super::{Class, Entry};

/// Writes entries without field names, one line for a code and one for the next step.
macro_rules! entries {
    ($($class:ident $code:literal $chinese:literal $meaning:literal => $next_step:literal;)*) => {
        &[$(Entry {
            code: $code,
            class: Class::$class,
            chinese: $chinese,
            meaning: $meaning,
            next_step: $next_step,
        }),*]
    };
}

/// The entry of every unknown code.
pub(super) static UNLISTED: Entry = Entry {
    code: i64::MIN,
    class: Class::Unlisted,
    chinese: "",
    meaning: "a code that is in no published table",
    next_step: "look the code up at https://open.work.weixin.qq.com/devtool/query, then retry these subjects or leave them parked",
};

/// 670005…670035 except those with an entry: import, rule and naming errors of the chain APIs.
pub(super) static CHAIN_RULES: Entry = Entry {
    code: 670_005,
    class: Class::Unlisted,
    chinese: "",
    meaning: "an import, rule or naming error of another 上下游 API",
    next_step: "this call should not get it: keep the reply and ask WeCom support",
};

/// 95xxx: WeChat customer service.
pub(super) static CUSTOMER_SERVICE: Entry = Entry {
    code: 95_000,
    class: Class::Unlisted,
    chinese: "",
    meaning: "an error of WeChat customer service, another product",
    next_step: "this call should not get it: keep the reply and ask WeCom support",
};

/// Every code with an entry of its own, ascending: [`super::lookup`] searches it by halves.
pub(super) static ENTRIES: &[Entry] = entries! {
    // Success is looked up only when it came with the wrong-json warning (D90455).
    Retry -1 "系统繁忙" "system busy"
        => "nothing: it is asked again by itself; what stays parked comes back with retry";
    Bug 0 "请求成功" "accepted, but with the warning that our JSON is wrong"
        => "report this as a bug: the answer rests on half-read parameters";
    Retry 6000 "数据版本冲突" "data version conflict"
        => "nothing: it is asked again by itself";
    Token 40001 "不合法的secret参数" "invalid secret or credential"
        => "check WECOM_CORP_SECRET: it must be the shared app's own, not reset since, and the app enabled";
    Unlisted 40003 "无效的UserID" "invalid UserID"
        => "this call sends no UserID: keep the reply and ask WeCom support";
    Stop 40013 "不合法的CorpID" "invalid corpid"
        => "check WECOM_CORP_ID: it is on the admin console's page My Company (我的企业)";
    Token 40014 "不合法的access_token" "access token expired, garbled or of the wrong kind"
        => "nothing at first: a new token is fetched; if it stays, check that the credentials are WeCom's";
    Unlisted 40029 "" "invalid oauth code"
        => "this call sends no oauth code: keep the reply and ask WeCom support";
    Unlisted 40031 "" "invalid UserID list"
        => "this call sends no UserID: keep the reply and ask WeCom support";
    Bug 40033 "不合法的请求字符" "\\uXXXX escapes are not allowed in a request"
        => "report this as a bug";
    Bug 40035 "不合法的参数" "invalid list argument"
        => "report this as a bug";
    Stop 40056 "不合法的agentid" "the agentid is not an integer or does not exist"
        => "check the agentid of the shared app";
    Source 40058 "不合法的参数" "invalid input: over-long, empty or malformed value"
        => "look at the rejected rows: a few are bad values, many in a row mean wrong columns or a bug";
    Bug 40063 "参数为空" "a required parameter is missing"
        => "report this as a bug";
    Unlisted 40066 "" "invalid department list"
        => "this call sends no department: keep the reply and ask WeCom support";
    Unlisted 40068 "" "invalid tag id"
        => "this call sends no tag: keep the reply and ask WeCom support";
    Subject 40073 "不合法的openid" "the openid does not exist"
        => "check these openids at their source";
    Stop 40091 "secret不合法" "the secret is invalid, maybe another corp's"
        => "check that WECOM_CORP_ID and WECOM_CORP_SECRET belong to the same corp";
    Subject 40096 "不合法的外部联系人userid" "invalid external userid: another owner's, or its follower is out of range"
        => "check that the ids belong to this corp and their followers to the app's visible range";
    Unlisted 40097 "" "the member has not left"
        => "this call should not get it: keep the reply and ask WeCom support";
    Bug 40206 "请求body字节数超过限制" "the request body is too large"
        => "report this as a bug";
    Bug 41001 "缺少access_token参数" "the access token is missing from the query"
        => "report this as a bug; if a proxy is in between, check that it keeps the query";
    Bug 41002 "缺少corpid参数" "corpid is missing"
        => "report this as a bug; if a proxy is in between, check that it keeps the query";
    Bug 41004 "缺少secret参数" "corpsecret is missing"
        => "report this as a bug; if a proxy is in between, check that it keeps the query";
    Bug 41024 "缺少secret参数" "the secret is missing"
        => "report this as a bug";
    Bug 41035 "缺少外部联系人userid参数" "the external userid is missing"
        => "report this as a bug";
    Subject 41056 "外部联系人id类型不正确" "the external id is of the wrong kind"
        => "check these ids at their source";
    Stop 41057 "企业或服务商未绑定微信开发者账号" "no WeChat developer account is bound to the corp or provider"
        => "bind the WeChat developer account, then run the same command again";
    Token 42001 "access_token已过期" "the access token has expired"
        => "nothing: a new token is fetched";
    Stop 42009 "suite_access_token已过期" "a third-party suite token has expired"
        => "use the credentials of a self-built or provider-developed app: suites call another API";
    Unlisted 43004 "" "the userid is not bound to WeChat"
        => "this call sends no userid: keep the reply and ask WeCom support";
    Stop 43009 "企业未验证主体" "the corp's legal subject is not verified"
        => "have the corp verified, then run the same command again";
    Bug 44001 "多媒体文件为空" "an empty media file"
        => "report this as a bug: no media is sent";
    Wait 45009 "接口调用超过限制" "call limit exceeded"
        => "wait: calls continue by themselves; if it returns, find who else calls with this corp or address, or reserve a share for them";
    Wait 45011 "" "too many calls; a WeChat code that WeCom's table lacks"
        => "wait: calls continue by themselves after a minute";
    Slow 45033 "接口并发调用超过限制" "too many calls at once"
        => "nothing: fewer calls are kept in flight; lower --concurrency if it continues";
    Stop 48001 "API功能未授权" "this feature is not granted"
        => "grant the app the customer-contact permission (客户联系) in the admin console";
    Stop 48002 "API接口无权限调用" "the app may not call this API"
        => "check that these are the credentials of an app shared in 上下游, with the customer-contact permission";
    Downstream 48004 "授权关系无效" "the authorisation is absent or was withdrawn"
        => "have the admin authorise the app again";
    Stop 48005 "API接口已废弃" "this API has been retired"
        => "look for a newer idferry: the API has changed";
    Stop 48006 "接口权限被收回" "the permission was withdrawn because the app was idle too long"
        => "have the admin enable the permission again";
    Unlisted 50001 "redirect_url未登记可信域名" "the redirect_url is not on a trusted domain"
        => "this call redirects nowhere: keep the reply and ask WeCom support";
    Subject 50002 "成员不在权限范围" "the member is outside the app's range"
        => "widen the app's visible range, then retry these subjects";
    Stop 50003 "应用已禁用" "the app is disabled"
        => "enable the app in the admin console";
    Source 60011 "指定的成员/部门/标签参数无权限" "no privilege: outside the visible range, or the API's rules are unmet"
        => "check the app's visible range and that the downstream admin granted 企业客户, then retry --errcode 60011";
    Stop 60020 "不安全的访问IP" "not allowed to access from your IP"
        => "add the address in the server's message to the app's trusted IPs (企业可信IP), wait a minute, run the same command again";
    Stop 60031 "当前应用已禁止调用API" "this app is barred from the API"
        => "ask WeCom support why the app is barred";
    Unlisted 60111 "" "the UserID does not exist"
        => "this call sends no UserID: keep the reply and ask WeCom support";
    Unlisted 60203 "" "invalid template id"
        => "this call sends no template: keep the reply and ask WeCom support";
    Stop 60214 "仅支持第三方应用调用" "for third-party apps only"
        => "check that the app is shared in 上下游; third-party apps call another API";
    Unlisted 81013 "" "all receivers are invalid"
        => "this call sends no message: keep the reply and ask WeCom support";
    Bug 81017 "请求个数超过限制" "too many items in one request"
        => "report this as a bug";
    Unlisted 84014 "" "the member ticket has expired"
        => "this call sends no member ticket: keep the reply and ask WeCom support";
    Subject 84061 "不存在外部联系人的关系" "no relation with this external contact"
        => "retry --errcode 84061 asks these subjects again later";
    Stop 84074 "没有外部联系人权限" "no external-contact permission"
        => "grant the app the customer-contact permission (客户联系) in the admin console";
    Subject 86001 "参数 chatid 不合法" "invalid chat id"
        => "check the chat id";
    Subject 86003 "参数 chatid 不存在" "the chat id does not exist"
        => "check the chat id";
    Stop 301002 "无权限操作指定的应用" "this token may not operate that app"
        => "use the secret of the app shared in 上下游";
    Downstream 301007 "企业不可用" "the corp is dissolved or banned"
        => "ask the corp's admin; leave a dissolved downstream corp out of the input";
    Unlisted 301025 "" "an error of the approval app"
        => "this call should not get it: keep the reply and ask WeCom support";
    Stop 301042 "ip白名单限制" "the IP is not on the whitelist"
        => "add this machine's address to the IP whitelist, then run the same command again";
    Unlisted 301056 "" "an error of the approval app"
        => "this call should not get it: keep the reply and ask WeCom support";
    Subject 610004 "输入参数不是企业客户" "not a customer of the corp"
        => "retry --errcode 610004 asks these subjects again later";
    Subject 610014 "无效的unionid" "invalid unionid"
        => "check these unionids at their source; they change when a mini program moves to another open-platform account";
    Source 610015 "小程序对应的开放平台账号未认证" "the mini program's open-platform account is not certified"
        => "have the open-platform account certified, then retry --errcode 610015";
    Stop 610016 "企业未认证" "the corp is not certified"
        => "have the corp certified, then run the same command again";
    Source 610017 "小程序和企业主体不一致" "mini program and corp have different legal subjects, or the pair is not from that mini program"
        => "check which mini program the input comes from: its legal subject must be the corp's";
    Subject 610018 "openid和unionid不在同一个开放平台账号下" "openid and unionid belong to different open-platform accounts"
        => "check that both ids come from the same mini program or official account";
    Stop 610019 "没有安装第三方应用" "the third-party app is not installed"
        => "use the app that is shared in 上下游";
    Stop 610020 "同一服务商" "a condition on the provider is not met"
        => "check under which provider the app and the corp are registered";
    Stop 610021 "无企业客户权限" "no permission for the corp's customers"
        => "have the admin grant 企业客户 to the app";
    Unlisted 610022 "授权企业与服务商为同一企业" "the authorised corp is the provider itself"
        => "only a migration call gets it: keep the reply and ask WeCom support";
    Downstream 670001 "应用不在共享范围" "the app is not shared with that corp, or the token is the wrong one"
        => "check in the admin console with whom the app is shared in 上下游, and that the downstream admin confirmed";
    Stop 670002 "无效chain_id" "invalid chain id"
        => "check the chain id";
    Stop 670003 "无效分组id" "invalid group id"
        => "check the group id";
    Downstream 670004 "企业不在上下游范围内" "the corp is not in the chain"
        => "leave this downstream corp out of the input, or invite it to the chain";
    Downstream 670029 "成员、部门不在上下游范围" "member or department outside the chain"
        => "check what the downstream corp shares with the chain";
    Downstream 670030 "无权限操作groupid" "no permission for that group"
        => "check the app's range in the chain";
    Stop 701008 "没有互通license" "a provider interface licence is missing"
        => "have the provider activate a licence for the app";
    Stop 701099 "没有有效的接口许可" "no valid interface licence"
        => "have the provider activate a licence for the app; the trial of 90 days may be over";
    Source 845001 "openid账号类型不是公众号或小程序" "the openid is not from an official account or mini program"
        => "check where the openids of this input come from";
    Source 845002 "openid认证主体和企业认证主体不一致" "the openid's certified subject is not the corp's"
        => "check which mini program or account the input comes from: its certified subject must be the corp's";
    Source 845003 "unionid认证主体和企业认证主体不一致" "the unionid's certified subject is not the corp's"
        => "check to which open-platform account the unionids belong: its certified subject must be the corp's";
    Unlisted 2400007 "请求数超过限制" "a request limit of another product line"
        => "keep the reply and ask WeCom support";
};
