//! What a database has to do for browsers that steps work in.

use nodetool_store::{
    BrowserKind, BrowserRow, NewThrottleRule, Store, StoreError, ThrottleRuleRow,
};

fn row(id: &str, user: &str, at: i64) -> BrowserRow {
    BrowserRow {
        id: id.to_owned(),
        user_id: user.to_owned(),
        name: format!("name of {id}"),
        description: "d".to_owned(),
        config: "{}".to_owned(),
        created_at: at,
        updated_at: at,
    }
}

fn rule(id: &str, pool: &str, domain: &str) -> ThrottleRuleRow {
    ThrottleRuleRow {
        id: id.to_owned(),
        user_id: "u".to_owned(),
        pool_id: pool.to_owned(),
        domain: domain.to_owned(),
        delay_ms: 1500,
        enabled: true,
        created_at: 1,
        updated_at: 1,
    }
}

pub(super) async fn sessions_and_pools_are_their_owners_alone(store: Store) {
    for kind in [BrowserKind::Session, BrowserKind::Pool] {
        for new in [row("b", "u", 2), row("a", "u", 1), row("f", "v", 1)] {
            assert!(store.insert_browser(kind, new, 2).await.unwrap());
        }
        assert!(
            !store
                .insert_browser(kind, row("c", "u", 3), 2)
                .await
                .unwrap()
        );
        let listed = store.list_browsers(kind, "u").await.unwrap();
        assert_eq!(listed, [row("a", "u", 1), row("b", "u", 2)]);
        assert_eq!(store.get_browser(kind, "u", "f").await.unwrap(), None);
        let mut changed = row("a", "u", 1);
        changed.name = "another".to_owned();
        changed.config = "[1]".to_owned();
        changed.updated_at = 9;
        assert!(store.update_browser(kind, changed.clone()).await.unwrap());
        assert_eq!(
            store.get_browser(kind, "u", "a").await.unwrap(),
            Some(changed)
        );
        let foreign = BrowserRow {
            user_id: "u".to_owned(),
            ..row("f", "v", 1)
        };
        assert!(!store.update_browser(kind, foreign).await.unwrap());
        assert!(!store.delete_browser(kind, "u", "f").await.unwrap());
        assert!(store.delete_browser(kind, "u", "a").await.unwrap());
        assert!(!store.delete_browser(kind, "u", "a").await.unwrap());
    }
}

pub(super) async fn a_pool_has_one_rule_for_each_domain_and_takes_them_along(store: Store) {
    let (kind, most) = (BrowserKind::Pool, 2);
    store
        .insert_browser(kind, row("p", "u", 1), 9)
        .await
        .unwrap();
    let add = |new| store.insert_throttle_rule(new, most);
    assert_eq!(
        add(rule("1", "p", "b.example")).await.unwrap(),
        NewThrottleRule::Stored
    );
    assert_eq!(
        add(rule("2", "p", "b.example")).await.unwrap(),
        NewThrottleRule::Taken
    );
    assert_eq!(
        add(rule("3", "p", "a.example")).await.unwrap(),
        NewThrottleRule::Stored
    );
    assert_eq!(
        add(rule("4", "p", "c.example")).await.unwrap(),
        NewThrottleRule::TooMany
    );
    let foreign = add(ThrottleRuleRow {
        user_id: "v".to_owned(),
        ..rule("5", "p", "x")
    })
    .await;
    assert!(
        matches!(foreign, Err(StoreError::NotFound { .. })),
        "{foreign:?}"
    );
    let domains =
        |rows: Vec<ThrottleRuleRow>| rows.into_iter().map(|r| r.domain).collect::<Vec<_>>();
    let listed = store.list_throttle_rules("u", "p").await.unwrap();
    assert_eq!(domains(listed), ["a.example", "b.example"]);
    assert!(
        store
            .list_throttle_rules("v", "p")
            .await
            .unwrap()
            .is_empty()
    );
    let changed = ThrottleRuleRow {
        delay_ms: 2,
        enabled: false,
        updated_at: 5,
        ..rule("1", "p", "b.example")
    };
    assert!(store.update_throttle_rule(changed.clone()).await.unwrap());
    assert!(
        store
            .list_throttle_rules("u", "p")
            .await
            .unwrap()
            .contains(&changed)
    );
    assert!(!store.delete_throttle_rule("v", "p", "1").await.unwrap());
    assert!(store.delete_throttle_rule("u", "p", "1").await.unwrap());
    assert!(store.delete_browser(kind, "u", "p").await.unwrap());
    assert!(
        store
            .list_throttle_rules("u", "p")
            .await
            .unwrap()
            .is_empty()
    );
}
