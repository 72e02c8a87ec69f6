use super::{
    super::{
        TicketAgain,
        ticket::{TICKET_APPLIED_BEFORE, TICKET_EXPIRED, TICKET_FORGED},
    },
    *,
};

async fn apply(bench: &Bench) -> Value {
    bench.ask(SimEndpoint::Ticket, json!({})).await
}

async fn with_ticket(bench: &Bench, ticket: &Value) -> i64 {
    let mut body = subject(1);
    body["mass_call_ticket"] = ticket.clone();
    code(&bench.ask(SimEndpoint::Lookup, body).await)
}

#[tokio::test(start_paused = true)]
async fn wrong_credentials_get_a_code_and_no_token() {
    let bench = Bench::new(SimOptions::default()).await;
    let (id, secret) =
        bench.with(|remote| (remote.corp_id().to_owned(), remote.corp_secret().to_owned()));
    assert_eq!(id.len(), 18);
    assert_eq!(code(&bench.gettoken(&id.to_uppercase(), &secret).await), 0);
    for (id, secret, errcode) in [
        ("", &*secret, 41_002),
        (&*id, "", 41_004),
        ("ww0000000000000000", &*secret, 40_013),
        (&*id, "guess", 40_001),
    ] {
        let reply = bench.gettoken(id, secret).await;
        assert_eq!(code(&reply), errcode);
        assert_eq!(reply["access_token"], Value::Null);
    }
    assert_eq!(bench.stats().tokens_failed, 4);
}

#[tokio::test(start_paused = true)]
async fn wrong_secrets_lock_the_address_out_for_an_hour() {
    let bench = Bench::new(SimOptions::default()).await;
    let id = bench.with(|remote| remote.corp_id().to_owned());
    for _ in 0..2_000 {
        assert_eq!(code(&bench.gettoken(&id, "guess").await), 40_001);
    }
    assert_eq!(bench.fetch().await, "");
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_ne!(bench.fetch().await, "");
}

#[tokio::test(start_paused = true)]
async fn token_expires_after_two_hours() {
    let mut bench = Bench::new(SimOptions::default()).await;
    tokio::time::sleep(Duration::from_secs(7_199)).await;
    assert_eq!(bench.errcode(1).await, 0);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.errcode(1).await, 42_001);
    bench.token = String::new();
    assert_eq!(bench.errcode(1).await, 41_001);
}

#[tokio::test(start_paused = true)]
async fn ticket_lifts_the_business_windows_for_seven_days() {
    let limits = "business.hour=1".parse::<crate::model::Limits>().unwrap();
    let mut bench = Bench::new(SimOptions {
        limits,
        ..SimOptions::default()
    })
    .await;
    let ticket = apply(&bench).await["mass_call_ticket"].clone();
    for _ in 0..3 {
        assert_eq!(with_ticket(&bench, &ticket).await, 0);
    }
    assert_eq!(bench.errcode(1).await, 0);
    assert_eq!(bench.errcode(1).await, 45_009);
    assert_eq!(with_ticket(&bench, &ticket).await, 0);
    tokio::time::sleep(Duration::from_secs(7 * 86_400)).await;
    bench.token = bench.fetch().await;
    assert_eq!(with_ticket(&bench, &ticket).await, TICKET_EXPIRED);
    assert_eq!(
        with_ticket(&bench, &ticket).await,
        45_009,
        "it lifts nothing any more"
    );
}

#[tokio::test(start_paused = true)]
async fn there_is_one_ticket_per_corp() {
    for (ticket_again, errcode) in [
        (TicketAgain::Refuse, TICKET_APPLIED_BEFORE),
        (TicketAgain::Same, 0),
    ] {
        let bench = Bench::new(SimOptions {
            ticket_again,
            ..SimOptions::default()
        })
        .await;
        let first = apply(&bench).await;
        let second = apply(&bench).await;
        assert_eq!((code(&first), code(&second)), (0, errcode));
        if errcode == 0 {
            assert_eq!(first, second);
        }
        assert_eq!(with_ticket(&bench, &json!("forged")).await, TICKET_FORGED);
        assert_eq!(bench.stats().ticket_applications, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn too_many_calls_in_flight_get_45033() {
    let bench = Bench::new(SimOptions {
        concurrent: Some(3),
        ..SimOptions::default()
    })
    .await;
    let calls = (0..50).map(|number| bench.errcode(number));
    let codes = futures_util::future::join_all(calls).await;
    let overloaded = codes.iter().filter(|code| **code == 45_033).count() as u64;
    let lane = bench.stats().lanes[SimEndpoint::Lookup.path()].clone();
    assert!(overloaded > 10, "{overloaded}");
    assert_eq!((lane.peak_in_flight, lane.refused_45033), (3, overloaded));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.errcode(1).await, 0);
}

#[tokio::test(start_paused = true)]
async fn exceeding_the_minute_locks_for_sixty_seconds() {
    let limits = "basic.minute=5".parse::<crate::model::Limits>().unwrap();
    let bench = Bench::new(SimOptions {
        limits,
        ..SimOptions::default()
    })
    .await;
    let mut codes = Vec::new();
    for number in 0..6 {
        codes.push(bench.errcode(number).await);
    }
    assert_eq!(codes, [0, 0, 0, 0, 0, 45_009]);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(
        bench.errcode(1).await,
        45_009,
        "and it does not prolong the lockout"
    );
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(bench.errcode(1).await, 0);
    assert_eq!(bench.stats().lanes[SimEndpoint::Lookup.path()].lockouts, 1);
}

#[tokio::test(start_paused = true)]
async fn malformed_and_incomplete_requests_differ() {
    let bench = Bench::new(SimOptions::default()).await;
    for body in ["{", r#"{"unionid":1,"openid":"o"}"#, "\u{ff5b}}"] {
        let reply = read(&bench.post(SimEndpoint::Lookup, body).await.unwrap());
        assert_eq!(code(&reply), 40_058);
        assert!(
            reply["errmsg"]
                .as_str()
                .unwrap()
                .contains("Warning: wrong json format. ")
        );
    }
    let reply = bench
        .ask(SimEndpoint::Lookup, json!({ "unionid": "o" }))
        .await;
    assert_eq!(code(&reply), 40_058);
    assert!(!reply["errmsg"].as_str().unwrap().contains("Warning"));
}

#[tokio::test(start_paused = true)]
async fn get_in_place_of_post_and_wrong_paths_are_refused() {
    let bench = Bench::new(SimOptions::default()).await;
    let query = vec![("access_token", Arc::new(Secret::new(bench.token.clone())))];
    let (path, body) = (SimEndpoint::Lookup.path(), Vec::new());
    let get = Request {
        method: Method::Get,
        path,
        query,
        body,
    };
    assert_eq!(code(&read(&bench.send(get).await.unwrap())), 40_058);
    let (path, body) = ("/cgi-bin/nowhere", Vec::new());
    let lost = Request {
        method: Method::Get,
        path,
        query: Vec::new(),
        body,
    };
    assert_eq!(bench.send(lost).await, Err(Failure::Status(404)));
    assert_eq!(bench.stats().not_found, 1);
}

#[tokio::test(start_paused = true)]
async fn number_in_quotation_marks_is_a_number() {
    let bench = Bench::new(SimOptions::default()).await;
    for (agentid, errcode) in [
        (json!("7"), 0),
        (json!(7), 0),
        (json!(0), 40_056),
        (json!("x"), 40_058),
    ] {
        let body = json!({ "agentid": agentid, "business_type": "1" });
        assert_eq!(
            code(&bench.ask(SimEndpoint::ShareInfo, body).await),
            errcode,
            "{agentid}"
        );
    }
    let body = json!({ "agentid": 7, "limit": -1 });
    assert_eq!(code(&bench.ask(SimEndpoint::ShareInfo, body).await), 40_058);
}

#[tokio::test(start_paused = true)]
async fn errors_carry_a_hint_of_25_digits_and_sometimes_an_empty_list() {
    let bench = Bench::new(SimOptions::default()).await;
    let mut lists = 0;
    for _ in 0..100 {
        bench.script([Forced::Errcode(610_017)]);
        let reply = read(&bench.lookup(1).await.unwrap());
        let errmsg = reply["errmsg"].as_str().unwrap();
        let hint = errmsg.split(['[', ']']).nth(1).unwrap();
        assert!(
            hint.len() == 25 && hint.bytes().all(|byte| byte.is_ascii_digit()),
            "{errmsg}"
        );
        assert!(errmsg.ends_with("devtool/query?e=610017"), "{errmsg}");
        lists += u32::from(reply["external_userid_info"] == json!([]));
    }
    assert!((20..80).contains(&lists), "{lists}");
}
