//! How secrets are found, stored, taken over and encrypted anew.

use nodetool_sdk::services::Secrets;

use super::rotation::{Rotated, RotationError};
use super::*;

const KEY: &str = "OPENAI_API_KEY";

fn places(folder: &std::path::Path) -> KeyPlaces {
    KeyPlaces {
        files: Some(KeyFiles::new(folder.to_owned())),
        ..KeyPlaces::default()
    }
}

fn given(key: &str) -> KeyPlaces {
    KeyPlaces {
        given: Some(Sensitive::new(key)),
        ..KeyPlaces::default()
    }
}

fn parts(store: &Store, places: KeyPlaces) -> SecretsParts {
    SecretsParts {
        store: store.clone(),
        changes: Changes::default(),
        safe: Safe::new(store.clone(), places),
        environment: BTreeMap::new(),
        shared: true,
        accounts: None,
        google: None,
        more: BTreeSet::new(),
    }
}

fn new(key: &str, value: &str) -> NewSecret {
    NewSecret {
        key: key.into(),
        value: Sensitive::new(value),
        description: None,
    }
}

async fn found(service: &SecretsService, user: &str, key: &str) -> Option<String> {
    let value = service.get(user, key).await.unwrap();
    value.map(|v| v.expose().to_owned())
}

struct Account;

impl AccountTokens for Account {
    fn newest<'a>(&'a self, user_id: &'a str) -> BoxFuture<'a, Option<Sensitive>> {
        let known = user_id == "1";
        Box::pin(async move { known.then(|| Sensitive::new("of the account")) })
    }
}

#[tokio::test]
async fn a_secret_is_looked_for_in_the_right_order() {
    let store = Store::open_in_memory().unwrap();
    let environment = [KEY, "HF_TOKEN", "SERVER_AUTH_TOKEN", "FAL_API_KEY"];
    let environment = environment.map(|key| (key.to_owned(), Sensitive::new("of the machine")));
    let service = SecretsService::new(SecretsParts {
        environment: environment.into(),
        accounts: Some(Arc::new(Account)),
        ..parts(&store, given("m"))
    });
    let caller = Caller::local();
    for key in [KEY, "HF_TOKEN", "SERVER_AUTH_TOKEN"] {
        service.put(&caller, new(key, "stored")).await.unwrap();
    }
    for (user, key, value) in [
        ("1", KEY, Some("stored")),
        ("2", KEY, Some("of the machine")),
        ("1", "HF_TOKEN", Some("of the account")),
        ("2", "HF_TOKEN", Some("of the machine")),
        ("1", "SERVER_AUTH_TOKEN", Some("of the machine")),
        ("1", "FAL_API_KEY", Some("of the machine")),
        ("1", "GROQ_API_KEY", None),
    ] {
        assert_eq!(
            found(&service, user, key).await.as_deref(),
            value,
            "{user} {key}"
        );
    }
}

#[tokio::test]
async fn nodes_get_the_secrets_of_their_user_and_none_of_the_server() {
    let store = Store::open_in_memory().unwrap();
    let app = OF_APP[1];
    let environment = [KEY, "SERVER_AUTH_TOKEN", app];
    let environment = environment.map(|key| (key.to_owned(), Sensitive::new("of the machine")));
    let service = SecretsService::new(SecretsParts {
        environment: environment.into(),
        shared: false,
        ..parts(&store, given("m"))
    });
    let second = Caller::user("2");
    let put = service.put(&second, new("HF_TOKEN", "of user 2"));
    put.await.unwrap();
    let of = |user: &str| RunSecrets::new(service.clone(), user.into(), Arc::default());
    assert_eq!(of("1").get("HF_TOKEN").await.unwrap(), None);
    let own = of("2").get("HF_TOKEN").await.unwrap();
    assert_eq!(own.as_deref(), Some("of user 2"));
    assert_eq!(of("2").get(KEY).await.unwrap(), None, "a stranger");
    let owner = of("1").get(KEY).await.unwrap();
    assert_eq!(owner.as_deref(), Some("of the machine"));
    assert_eq!(of("1").get(app).await.unwrap(), None, "of everybody");
    service.put(&second, new(app, "own")).await.unwrap();
    let own = of("2").get(app).await.unwrap();
    assert_eq!(own.as_deref(), Some("own"));
    let refused = of("1").get("SERVER_AUTH_TOKEN").await.unwrap_err();
    assert!(refused.to_string().contains("belongs to the server"));
    for odd in ["", "a\0b", &"x".repeat(1000)] {
        assert_eq!(of("1").get(odd).await.unwrap(), None);
    }
}

#[tokio::test]
async fn under_another_key_nothing_is_read_and_nothing_overwritten() {
    let store = Store::open_in_memory().unwrap();
    let caller = Caller::local();
    let first = SecretsService::new(parts(&store, given("m")));
    first.put(&caller, new(KEY, "value")).await.unwrap();
    let other = SecretsService::new(parts(&store, given("n")));
    let read = other.get("1", KEY).await;
    assert!(matches!(read, Err(SecretsError::Undecryptable)));
    for key in [KEY, "HF_TOKEN"] {
        let stored = other.put(&caller, new(key, "new")).await;
        assert!(matches!(stored, Err(SecretsError::OtherKey)));
    }
    assert_eq!(found(&first, "1", KEY).await.as_deref(), Some("value"));
    other.delete(&caller, KEY).await.unwrap();
    other.put(&caller, new(KEY, "new")).await.unwrap();
    assert_eq!(found(&other, "1", KEY).await.as_deref(), Some("new"));
}

#[tokio::test]
async fn only_rows_that_open_are_taken_over() {
    let store = Store::open_in_memory().unwrap();
    let source = SecretsService::new(parts(&Store::open_in_memory().unwrap(), given("m")));
    let stranger = SecretsService::new(parts(&Store::open_in_memory().unwrap(), given("n")));
    let row = async |from: &SecretsService, user: &str, key: &str| {
        let row = from
            .put(&Caller::user(user), new("HF_TOKEN", "value"))
            .await;
        ImportedSecret {
            user_id: user.into(),
            key: key.into(),
            encrypted_value: row.unwrap().encrypted_value,
            description: None,
            created_at: Some(5),
            updated_at: None,
        }
    };
    let good = row(&source, "2", "HF_TOKEN").await;
    let of_another_user = ImportedSecret {
        user_id: "3".into(),
        key: "FAL_API_KEY".into(),
        ..good.clone()
    };
    let rows = vec![
        good,
        row(&stranger, "2", "GROQ_API_KEY").await,
        row(&source, "2", "PATH").await,
        of_another_user,
    ];
    let service = SecretsService::new(parts(&store, given("m")));
    let imported = service.import(&Caller::local(), rows).await.unwrap();
    let expected = Imported {
        imported: 1,
        rejected: ["GROQ_API_KEY", "PATH", "FAL_API_KEY"]
            .map(Into::into)
            .into(),
    };
    assert_eq!(imported, expected);
    assert_eq!(
        found(&service, "2", "HF_TOKEN").await.as_deref(),
        Some("value")
    );
    assert_eq!(service.stored("2").await.unwrap()["HF_TOKEN"].created_at, 5);
}

/// A store with secrets of two users under the key in a folder's file.
async fn filled(folder: &std::path::Path) -> Store {
    let store = Store::open_in_memory().unwrap();
    let service = SecretsService::new(parts(&store, places(folder)));
    for user in ["1", "2"] {
        let caller = Caller::user(user);
        let put = service.put(&caller, new(KEY, &format!("of {user}")));
        put.await.unwrap();
    }
    store
}

/// Whether both users read their secrets with what is found in these places.
async fn is_readable(store: &Store, places: KeyPlaces) -> bool {
    let service = SecretsService::new(parts(store, places));
    let one = service.get("1", KEY).await;
    let two = service.get("2", KEY).await;
    matches!((one, two), (Ok(Some(a)), Ok(Some(b))) if a.is("of 1") && b.is("of 2"))
}

#[tokio::test]
async fn a_generated_key_replaces_the_one_in_the_file_and_the_old_one_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path()).await;
    let elsewhere = filled(folder.path()).await;
    let files = KeyFiles::new(folder.path().to_owned());
    let before = files.current().unwrap().unwrap();
    let Rotated {
        secrets,
        from,
        file,
    } = rotate(&store, &places(folder.path()), NewMasterKey::Generated)
        .await
        .unwrap();
    assert_eq!((secrets, from), (2, Origin::File));
    assert_eq!(file, Some(files.current_path()));
    assert!(!files.current().unwrap().unwrap().is(before.expose()));
    assert!(is_readable(&store, places(folder.path())).await);
    // Another data folder whose secrets belong to the old key.
    assert!(is_readable(&elsewhere, places(folder.path())).await);
    assert!(!is_readable(&store, given(before.expose())).await);
    rotate(&elsewhere, &places(folder.path()), NewMasterKey::Generated)
        .await
        .unwrap();
    assert!(is_readable(&store, places(folder.path())).await);
    assert!(is_readable(&elsewhere, places(folder.path())).await);
}

#[tokio::test]
async fn a_rotation_that_ends_between_two_steps_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path()).await;
    let files = KeyFiles::new(folder.path().to_owned());
    let before = files.current().unwrap().unwrap();
    // Ended before the database has changed: both keys are in files.
    let fresh = Sensitive::new("a new key that is long enough");
    let vault = Vault::new(fresh.clone()).await.unwrap();
    files.keep(&fresh, vault.fingerprint()).unwrap();
    assert!(is_readable(&store, places(folder.path())).await);
    // Ended after it has changed: the old key is still the one in use.
    let new = NewMasterKey::Given(fresh.clone());
    rotate(&store, &places(folder.path()), new).await.unwrap();
    files.keep(&fresh, vault.fingerprint()).unwrap();
    files.replace(&before).unwrap();
    assert!(is_readable(&store, places(folder.path())).await);
    // And what was left half done does not hinder the next.
    rotate(&store, &places(folder.path()), NewMasterKey::Generated)
        .await
        .unwrap();
    assert!(is_readable(&store, places(folder.path())).await);
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_is_named_and_nothing_changes() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path()).await;
    let fingerprint = store.secrets_fingerprint().await.unwrap().unwrap();
    let broken = PutSecret {
        user_id: "3".into(),
        key: "FAL_API_KEY".into(),
        encrypted_value: "gAAAA".into(),
        description: None,
        created_at: 1,
        updated_at: 1,
    };
    store.put_secrets(vec![broken], &fingerprint).await.unwrap();
    let refused = rotate(&store, &places(folder.path()), NewMasterKey::Generated).await;
    let told = refused.unwrap_err().to_string();
    assert!(told.contains("FAL_API_KEY of user 3"), "{told}");
    assert!(is_readable(&store, places(folder.path())).await);
    assert_eq!(
        store.secrets_fingerprint().await.unwrap(),
        Some(fingerprint)
    );
}

#[tokio::test]
async fn a_key_that_was_given_is_not_written_down_where_the_old_one_was_not() {
    let store = Store::open_in_memory().unwrap();
    let service = SecretsService::new(parts(&store, given("m")));
    service.put(&Caller::local(), new(KEY, "v")).await.unwrap();
    let key = "another key, given by hand";
    let to = |key: &str| NewMasterKey::Given(Sensitive::new(key));
    for bad in ["short", "a line break\nin the middle of it"] {
        let refused = rotate(&store, &given("m"), to(bad)).await;
        assert!(matches!(refused, Err(RotationError::BadKey)), "{bad:?}");
    }
    let rotated = rotate(&store, &given("m"), to(key)).await.unwrap();
    assert_eq!((rotated.from, rotated.file), (Origin::Environment, None));
    let again = rotate(&store, &given(key), to(key)).await;
    assert!(matches!(again, Err(RotationError::Same)));
    let service = SecretsService::new(parts(&store, given(key)));
    assert_eq!(found(&service, "1", KEY).await.as_deref(), Some("v"));
}
