use super::{super::Fault, *};

/// What a client sees when the next lookup suffers `fault`.
async fn suffer(fault: Fault) -> (Result<Vec<u8>, Failure>, Bench) {
    let bench = Bench::new(SimOptions::default()).await;
    bench.script([Forced::Fault(fault)]);
    let seen = bench.lookup(1).await;
    assert_eq!(bench.stats().faults[fault.name()], 1);
    (seen, bench)
}

#[tokio::test(start_paused = true)]
async fn busy_and_overloaded_replies_have_status_200() {
    for (fault, errcode) in [(Fault::Busy, -1), (Fault::Concurrent, 45_033)] {
        let (seen, bench) = suffer(fault).await;
        assert_eq!(code(&read(&seen.unwrap())), errcode);
        assert_eq!(bench.counted(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn http_error_has_no_json() {
    let (seen, bench) = suffer(Fault::Http5xx).await;
    assert!(matches!(seen, Err(Failure::Status(500..=504))));
    assert_eq!(bench.counted(), 1);
}

#[tokio::test(start_paused = true)]
async fn reset_comes_before_or_after_counting() {
    for (fault, counted) in [(Fault::ResetBefore, 0), (Fault::ResetAfter, 1)] {
        let (seen, bench) = suffer(fault).await;
        assert_eq!(seen, Err(Failure::Reset));
        assert_eq!(bench.counted(), counted);
    }
}

#[tokio::test(start_paused = true)]
async fn hung_call_ends_with_the_timeout_of_the_client() {
    let begin = tokio::time::Instant::now();
    let (seen, bench) = suffer(Fault::Hang).await;
    assert_eq!(seen, Err(Failure::Timeout(Duration::from_secs(10))));
    assert!(begin.elapsed() >= Duration::from_secs(10));
    assert_eq!(bench.counted(), 1);
}

#[tokio::test(start_paused = true)]
async fn slow_call_is_answered_late() {
    let bench = Bench::new(SimOptions::default()).await;
    bench.script([Forced::Fault(Fault::Slow); 20]);
    let begin = tokio::time::Instant::now();
    for number in 0..20 {
        assert_eq!(bench.errcode(number).await, 0);
    }
    assert!(
        begin.elapsed() > Duration::from_secs(4),
        "{:?}",
        begin.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn cut_and_invalid_bodies_are_not_json() {
    for fault in [Fault::Cut, Fault::Invalid] {
        for seed in 0..20 {
            let bench = Bench::new(SimOptions {
                seed,
                ..SimOptions::default()
            })
            .await;
            bench.script([Forced::Fault(fault)]);
            let body = bench.lookup(1).await.unwrap();
            assert!(
                serde_json::from_slice::<Value>(&body).is_err(),
                "{fault:?} {seed}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn warning_comes_with_errcode_0() {
    let (seen, _) = suffer(Fault::Warning).await;
    let reply = read(&seen.unwrap());
    assert_eq!(code(&reply), 0);
    assert_eq!(reply["errmsg"], "ok. Warning: wrong json format. ");
}

#[tokio::test(start_paused = true)]
async fn killed_token_stays_invalid_until_another_is_fetched() {
    let (seen, mut bench) = suffer(Fault::TokenKilled).await;
    assert_eq!(code(&read(&seen.unwrap())), 40_014);
    assert_eq!(bench.errcode(1).await, 40_014);
    bench.token = bench.fetch().await;
    assert_eq!(bench.errcode(1).await, 0);
    assert_eq!(bench.stats().tokens_killed, 1);
}

#[tokio::test(start_paused = true)]
async fn same_seed_gives_the_same_faults() {
    let mut runs = Vec::new();
    for seed in [3, 3, 4] {
        let faults = super::super::Faults::harsh();
        let bench = Bench::without_token(SimOptions {
            seed,
            faults,
            ..SimOptions::default()
        });
        let mut seen = Vec::new();
        for number in 0..300 {
            seen.push(bench.lookup(number).await);
        }
        runs.push((seen, bench.stats()));
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

#[tokio::test(start_paused = true)]
async fn remote_that_is_down_accepts_no_connection() {
    let bench = Bench::new(SimOptions::default()).await;
    bench.with(|remote| remote.set_down(true));
    assert_eq!(
        bench.lookup(1).await,
        Err(Failure::Connect(NoConnection::Refused))
    );
    bench.with(|remote| remote.set_down(false));
    assert_eq!(bench.errcode(1).await, 0);
    assert_eq!(bench.counted(), 1);
}

#[tokio::test(start_paused = true)]
async fn script_decides_about_the_next_lookups_in_order() {
    let bench = Bench::new(SimOptions::default()).await;
    bench.script([Forced::Errcode(610_017), Forced::Status(502), Forced::Pass]);
    bench.with(|remote| remote.force("oUnion0000000000000000000003", Some(845_003)));
    assert_eq!(bench.errcode(1).await, 610_017);
    assert_eq!(bench.lookup(1).await, Err(Failure::Status(502)));
    assert_eq!(bench.errcode(1).await, 0);
    assert_eq!(bench.errcode(3).await, 845_003);
    bench.with(|remote| remote.force("oUnion0000000000000000000003", None));
    assert_eq!(bench.errcode(3).await, 0);
}

#[tokio::test(start_paused = true)]
async fn bursts_come_and_go() {
    let bench = Bench::new(SimOptions::default()).await;
    bench.with(|remote| remote.set_faults("burst=1".parse().unwrap()));
    let mut refused = 0;
    for number in 0..40 {
        let seen = bench.lookup(number).await;
        refused += u64::from(seen.map_or(true, |body| !body.starts_with(br#"{"errcode":0"#)));
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    assert!((1..40).contains(&refused), "{refused}");
}
