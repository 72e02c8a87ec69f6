use super::*;
use crate::model::Link;

fn response(status: u16, body: &str) -> Response {
    let body = body.as_bytes().to_vec();
    Response {
        status,
        retry_after: None,
        date: None,
        body,
    }
}

fn lookup(reply: &Response) -> Verdict {
    super::decode(reply, &Endpoint::LOOKUP, false, &["oUnionUnion"])
}

fn decode(body: &str) -> Verdict {
    lookup(&response(200, body))
}

fn links(links: Vec<Link>) -> Verdict {
    Verdict::Answered(Answer::Links(links))
}

fn link(corpid: &str, external_userid: &str) -> Link {
    Link {
        corpid: corpid.into(),
        external_userid: external_userid.into(),
    }
}

#[test]
fn absent_null_and_empty_list_all_mean_no_link() {
    for body in [
        r#"{"errcode":0,"errmsg":"ok"}"#,
        r#"{"errcode":0,"errmsg":"ok","external_userid_info":null}"#,
        r#"{"errcode":0,"errmsg":"ok","external_userid_info":[]}"#,
        r#"{"external_userid_info":[],"new_field":{"a":[1]},"errcode":0}"#,
    ] {
        assert_eq!(decode(body), links(vec![]), "{body}");
    }
}

#[test]
fn links_are_sorted_and_distinct() {
    let body = r#"{"errcode":0,"errmsg":"ok","external_userid_info":[
        {"corpid":"wpB","external_userid":"wm1"},
        {"corpid":"wpA","external_userid":"wm\u00e9"},
        {"corpid":"wpB","external_userid":"wm1","extra":1},
        {"corpid":"wpB","external_userid":"wm0"}]}"#;
    let sorted = vec![link("wpA", "wmé"), link("wpB", "wm0"), link("wpB", "wm1")];
    assert_eq!(decode(body), links(sorted));
}

#[test]
fn errcode_comes_before_everything_else() {
    for list in ["[]", "null", "{}", "\"\"", r#"[{"corpid":"wpA"}]"#] {
        let body =
            format!(r#"{{"errcode":845003,"errmsg":"not match","external_userid_info":{list}}}"#);
        let refusal = Refusal {
            errcode: 845_003,
            class: Class::Source,
            errmsg: String::new(),
        };
        assert_eq!(decode(&body), Verdict::Refused(refusal), "{list}");
    }
}

#[test]
fn body_of_another_shape_is_a_failed_call() {
    let cut = r#"{"errcode":0,"errmsg":"ok","external_userid_info":[{"corpid":"wpA","#;
    for body in [
        "",
        "<html>502</html>",
        "null",
        "{}",
        cut,
        r#"{"errmsg":"ok","external_userid_info":[]}"#,
        r#"{"errcode":"zero","errmsg":"ok"}"#,
        r#"{"errcode":null}"#,
        r#"{"errcode":0,"errmsg":"ok"}}"#,
        "{\"errcode\":0,\"errmsg\":\"o\u{1}k\"}",
        r#"{"errcode":0,"external_userid_info":{"corpid":"wpA"}}"#,
        r#"{"errcode":0,"external_userid_info":"wpA"}"#,
        r#"{"errcode":0,"external_userid_info":[{"corpid":"wpA"}]}"#,
        r#"{"errcode":0,"external_userid_info":[{"corpid":"","external_userid":"wm"}]}"#,
        r#"{"errcode":0,"external_userid_info":[{"corpid":"wp","external_userid":""}]}"#,
    ] {
        assert_eq!(decode(body), Verdict::Failed(Failure::Body), "{body}");
    }
}

#[test]
fn what_a_gateway_changes_is_read_all_the_same() {
    for body in [
        r#"{"errcode":"0","errmsg":null}"#,
        r#"{"errcode":0,"errmsg":"ok","external_userid_info":{}}"#,
        r#"{"errcode":0,"errmsg":"ok","external_userid_info":""}"#,
        "\u{feff}{\"errcode\":0}",
    ] {
        assert_eq!(decode(body), links(vec![]), "{body}");
    }
    let invalid_utf8 = Response {
        status: 200,
        retry_after: None,
        date: None,
        body: b"{\"errcode\":0,\"errmsg\":\"\xff\"}".to_vec(),
    };
    assert_eq!(lookup(&invalid_utf8), links(vec![]));
    let Verdict::Refused(refusal) = decode(r#"{"errcode":"60020","errmsg":null}"#) else {
        panic!("60020 is a refusal");
    };
    assert_eq!(refusal.errcode, 60020);
}

#[test]
fn odd_entry_does_not_discard_its_neighbours() {
    let body = r#"{"errcode":0,"external_userid_info":[
        {"corpid":"wpA","external_userid":null},{"corpid":"wpB","external_userid":"wm1"},
        {"corpid":"","external_userid":"wm2"}]}"#;
    assert_eq!(decode(body), links(vec![link("wpB", "wm1")]));
}

#[test]
fn status_other_than_200_is_not_read_further() {
    for status in [204, 301, 404, 429, 500, 502, 503] {
        let reply = response(status, r#"{"errcode":0,"errmsg":"ok"}"#);
        let verdict = lookup(&reply);
        assert_eq!(verdict, Verdict::Failed(Failure::Status(status)));
        let error = decode_token(reply, &[]).unwrap_err();
        assert_eq!(error, CallError::Failed(Failure::Status(status)));
    }
}

#[test]
fn wrong_json_warning_is_a_bug_whatever_the_errcode() {
    for errcode in [0, 40058] {
        let body = format!(
            r#"{{"errcode":{errcode},"errmsg":"ok. Warning: wrong json format. ","external_userid_info":[]}}"#
        );
        let refusal = Refusal {
            errcode,
            class: Class::Bug,
            errmsg: "ok. Warning: wrong json format.".into(),
        };
        assert_eq!(decode(&body), Verdict::Refused(refusal));
    }
}

#[test]
fn errmsg_is_kept_only_for_classes_that_people_read() {
    for errcode in [
        -1, 40014, 45033, 610_014, 610_017, 670_001, 60020, 45009, 40063, 77,
    ] {
        let body = format!(r#"{{"errcode":{errcode},"errmsg":"no: oUnionUnion, sorry"}}"#);
        let Verdict::Refused(refusal) = decode(&body) else {
            panic!("{errcode} is a refusal");
        };
        let kept = if refusal.class.keeps_errmsg() {
            "no: «…», sorry"
        } else {
            ""
        };
        assert_eq!(refusal.errmsg, kept, "{errcode}");
    }
}

#[test]
fn refusal_is_a_sentence() {
    let verdict = decode(r#"{"errcode":60020,"errmsg":"not allow, from ip: 203.0.113.9"}"#);
    let Verdict::Refused(refusal) = verdict else {
        panic!("60020 is a refusal");
    };
    assert_eq!(
        CallError::Refused(refusal).to_string(),
        "60020 不安全的访问IP (not allowed to access from your IP): not allow, from ip: 203.0.113.9"
    );
}

#[test]
fn token_needs_a_life_but_no_errcode() {
    let decode = |body: &str| decode_token(response(200, body), &[]);
    for body in [
        r#"{"errcode":0,"errmsg":"ok","access_token":"tok","expires_in":7200}"#,
        r#"{"access_token":"tok","expires_in":7200}"#,
    ] {
        let token = decode(body).unwrap();
        assert_eq!(token.secret.expose(), "tok");
        assert_eq!(token.expires_in, Duration::from_secs(7200));
    }
    let long = format!(
        r#"{{"access_token":"{}","expires_in":1}}"#,
        "x".repeat(2049)
    );
    for body in [
        "{}",
        "not json",
        r#"{"access_token":"","expires_in":7200}"#,
        r#"{"access_token":"tok"}"#,
        r#"{"access_token":"tok","expires_in":-1}"#,
        &long,
    ] {
        assert_eq!(decode(body).unwrap_err(), CallError::Failed(Failure::Body));
    }
}

#[test]
fn wrong_secret_stops_whatever_else_the_reply_holds() {
    let body = r#"{"errcode":40001,"errmsg":"invalid credential","access_token":null}"#;
    let CallError::Refused(refusal) = decode_token(response(200, body), &[]).unwrap_err() else {
        panic!("40001 is a refusal");
    };
    assert_eq!(refusal.class, Class::Stop);
}
