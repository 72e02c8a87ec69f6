use super::{
    super::{EmptyListForm, WorldOptions},
    *,
};

fn links(reply: &Value) -> Vec<(String, String)> {
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
    let list = reply["external_userid_info"].as_array();
    list.map_or_else(Vec::new, |list| {
        list.iter()
            .map(|entry| (text(entry, "corpid"), text(entry, "external_userid")))
            .collect()
    })
}

#[tokio::test(start_paused = true)]
async fn lookup_returns_the_same_links_in_any_order() {
    let bench = Bench::new(SimOptions::default()).await;
    let mut forwards = Vec::new();
    for number in 0..100 {
        forwards.push(links(&read(&bench.lookup(number).await.unwrap())));
    }
    let other = Bench::new(SimOptions::default()).await;
    for number in (0..100).rev() {
        let seen = links(&read(&other.lookup(number).await.unwrap()));
        assert_eq!(seen, forwards[number as usize]);
    }
    let linked = forwards.iter().filter(|links| !links.is_empty()).count();
    assert!((45..80).contains(&linked), "{linked}");
}

#[tokio::test(start_paused = true)]
async fn corpid_leaves_the_links_of_one_corp() {
    let bench = Bench::new(SimOptions::default()).await;
    for number in 0..50 {
        let all = links(&read(&bench.lookup(number).await.unwrap()));
        let corps = bench.with(|remote| remote.world().corps().to_vec());
        for corp in corps {
            let mut body = subject(number);
            body["corpid"] = json!(corp.corpid);
            let seen = links(&bench.ask(SimEndpoint::Lookup, body).await);
            let expected = all.iter().filter(|(corpid, _)| *corpid == corp.corpid);
            assert_eq!(seen, expected.cloned().collect::<Vec<_>>());
        }
    }
    for (corpid, errcode) in [("wpUnknown", 670_004), ("x", 40_013)] {
        let mut body = subject(1);
        body["corpid"] = json!(corpid);
        assert_eq!(code(&bench.ask(SimEndpoint::Lookup, body).await), errcode);
    }
}

#[tokio::test(start_paused = true)]
async fn empty_list_has_three_forms_unless_set_otherwise() {
    let forms = |empty_list| async move {
        let world = WorldOptions {
            linked: 0.0,
            empty_list,
            ..WorldOptions::default()
        };
        let bench = Bench::new(SimOptions {
            world,
            ..SimOptions::default()
        })
        .await;
        let mut seen = std::collections::BTreeSet::new();
        for number in 0..50 {
            let reply = read(&bench.lookup(number).await.unwrap());
            assert_eq!(code(&reply), 0);
            seen.insert(format!("{:?}", reply.get("external_userid_info")));
        }
        seen.len()
    };
    assert_eq!(forms(EmptyListForm::Varies).await, 3);
    assert_eq!(forms(EmptyListForm::Null).await, 1);
}

async fn page(bench: &Bench, limit: usize, cursor: &str) -> Value {
    let body =
        json!({ "agentid": 1_000_001, "business_type": 1, "limit": limit, "cursor": cursor });
    bench.ask(SimEndpoint::ShareInfo, body).await
}

#[tokio::test(start_paused = true)]
async fn list_of_corps_comes_in_pages() {
    let world = WorldOptions {
        corps: 25,
        ..WorldOptions::default()
    };
    let bench = Bench::new(SimOptions {
        world,
        ..SimOptions::default()
    })
    .await;
    let (mut cursor, mut sizes, mut corps) = (String::new(), Vec::new(), Vec::new());
    loop {
        let reply = page(&bench, 10, &cursor).await;
        let list = reply["corp_list"].as_array().unwrap();
        sizes.push(list.len());
        corps.extend(
            list.iter()
                .map(|corp| corp["corpid"].as_str().unwrap().to_owned()),
        );
        cursor = reply["next_cursor"].as_str().unwrap().to_owned();
        assert_eq!(reply["ending"] == json!(1), cursor.is_empty());
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(sizes, [10, 10, 5]);
    let known = bench.with(|remote| remote.world().corps().to_vec());
    assert_eq!(
        corps,
        known
            .into_iter()
            .map(|corp| corp.corpid)
            .collect::<Vec<_>>()
    );
    assert_eq!(
        page(&bench, 0, "").await["corp_list"]
            .as_array()
            .unwrap()
            .len(),
        25
    );
    assert_eq!(code(&page(&bench, 101, "").await), 40_058);
    assert_eq!(code(&page(&bench, 10, "x").await), 40_058);
    let other = bench
        .ask(SimEndpoint::ShareInfo, json!({ "agentid": 1 }))
        .await;
    assert_eq!(
        other["corp_list"],
        json!([]),
        "business_type 0 is another relation"
    );
}

/// The links of subjects, with their numbers.
async fn linked(bench: &Bench, numbers: std::ops::Range<u32>) -> Vec<(u32, String, String)> {
    let mut found = Vec::new();
    for number in numbers {
        let all = links(&read(&bench.lookup(number).await.unwrap()));
        found.extend(all.into_iter().map(|(corpid, id)| (number, corpid, id)));
    }
    found
}

#[tokio::test(start_paused = true)]
async fn batch_returns_the_pending_ids_that_were_asked_for() {
    let mut bench = Bench::new(SimOptions::default()).await;
    let links = linked(&bench, 0..40).await;
    let mut pending = std::collections::HashMap::new();
    for number in 0..20 {
        let reply = bench.ask(SimEndpoint::PendingId, subject(number)).await;
        let again = bench.ask(SimEndpoint::PendingId, subject(number)).await;
        assert_eq!(reply["pending_id"], again["pending_id"]);
        pending.insert(number, reply["pending_id"].clone());
    }
    let mut ids: Vec<_> = links.iter().map(|(_, _, id)| id.clone()).collect();
    ids.push("wmForged".to_owned());
    let reply = bench
        .ask(
            SimEndpoint::BatchPendingId,
            json!({ "external_userid": ids }),
        )
        .await;
    let known = links.iter().filter(|(number, ..)| *number < 20);
    let entry = |(number, _, id): &(u32, String, String)| json!({ "external_userid": id, "pending_id": pending[number] });
    assert_eq!(reply["result"], known.map(entry).collect::<Value>());
    tokio::time::sleep(Duration::from_secs(90 * 86_400)).await;
    bench.token = bench.fetch().await;
    let reply = bench
        .ask(
            SimEndpoint::BatchPendingId,
            json!({ "external_userid": ids }),
        )
        .await;
    assert_eq!(reply["result"], json!([]), "after 90 days");
}

#[tokio::test(start_paused = true)]
async fn batch_has_one_to_a_hundred_ids() {
    let bench = Bench::new(SimOptions::default()).await;
    for (count, errcode) in [(0, 40_058), (1, 0), (100, 0), (101, 40_058)] {
        let body = json!({ "external_userid": vec!["wmX"; count] });
        assert_eq!(
            code(&bench.ask(SimEndpoint::BatchPendingId, body).await),
            errcode
        );
    }
}

#[tokio::test(start_paused = true)]
async fn downstream_token_sees_its_own_customers_only() {
    let mut bench = Bench::new(SimOptions::default()).await;
    let links = linked(&bench, 0..40).await;
    for number in 0..40 {
        bench.ask(SimEndpoint::PendingId, subject(number)).await;
    }
    let corp = bench.with(|remote| remote.world().corps()[2].clone());
    let mut body = json!({ "corpid": corp.corpid, "agentid": 1, "business_type": 1 });
    assert_eq!(
        code(&bench.ask(SimEndpoint::CorpToken, body.clone()).await),
        670_001
    );
    body["agentid"] = json!(corp.agentid);
    bench.token = bench.ask(SimEndpoint::CorpToken, body).await["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let ids: Vec<_> = links.iter().map(|(_, _, id)| id).collect();
    let reply = bench
        .ask(
            SimEndpoint::BatchPendingId,
            json!({ "external_userid": ids }),
        )
        .await;
    let own = links
        .iter()
        .filter(|(_, corpid, _)| *corpid == corp.corpid)
        .count();
    assert_eq!(reply["result"].as_array().unwrap().len(), own);
    assert_eq!(bench.errcode(1).await, 48_002);
}
