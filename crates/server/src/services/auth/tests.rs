use super::*;
use crate::config::Overrides;
use crate::sensitive::Sensitive;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Place(tempfile::tempdir().unwrap())
    }

    fn config(&self, provider: AuthProvider, change: impl FnOnce(&mut Overrides)) -> Config {
        let mut over = Overrides {
            home: Some(self.0.path().to_owned()),
            auth_provider: Some(provider),
            server_auth_token: Some(Sensitive::new("the server's own token")),
            ..Overrides::default()
        };
        change(&mut over);
        Config::load(over).unwrap()
    }

    fn open(&self, provider: AuthProvider) -> Accounts {
        let config = self.config(provider, |_| ());
        Accounts::open(&config, Store::open_in_memory().unwrap()).unwrap()
    }

    fn users(&self) -> UsersFile {
        UsersFile::new(self.0.path().join(".config/nodetool/users.yaml"))
    }
}

async fn detail(accounts: &Accounts, token: &str) -> String {
    let refused = accounts.verify(token).await.unwrap_err();
    assert!(!refused.unavailable, "{refused:?}");
    refused.detail
}

#[tokio::test]
async fn the_servers_token_is_its_owner_whatever_the_provider() {
    let place = Place::new();
    for (provider, text) in [
        (AuthProvider::Static, "Invalid static token"),
        (AuthProvider::MultiUser, "Invalid bearer token"),
    ] {
        let accounts = place.open(provider);
        let caller = accounts.verify("the server's own token").await.unwrap();
        assert_eq!(caller, Caller::local());
        for bad in ["", "x", "the server's own toke", &"x".repeat(17 << 10)] {
            assert_eq!(detail(&accounts, bad).await, text);
        }
    }
}

#[tokio::test]
async fn users_of_the_file_have_the_rights_of_their_roles() {
    let place = Place::new();
    let accounts = place.open(AuthProvider::MultiUser);
    let ann = place.users().add("ann", Role::Admin).unwrap();
    let bob = place.users().add("bob", Role::User).unwrap();
    let caller = accounts.verify(&ann.token).await.unwrap();
    assert!(caller.admin && caller.user_id == ann.record.user_id && !caller.by_key);
    let caller = accounts.verify(&bob.token).await.unwrap();
    assert_eq!(caller, Caller::user(&bob.record.user_id));
    let reset = place.users().reset_token("bob").unwrap();
    assert_eq!(detail(&accounts, &bob.token).await, "Invalid bearer token");
    assert_eq!(accounts.verify(&reset.token).await.unwrap(), caller);
    std::fs::write(place.users().path(), "users: [").unwrap();
    let refused = accounts.verify(&ann.token).await.unwrap_err();
    assert!(refused.unavailable && !refused.detail.contains("users.yaml"));
    assert_eq!(
        accounts.verify("the server's own token").await.unwrap(),
        Caller::local(),
        "its owner can still mend it"
    );
}

#[tokio::test]
async fn a_key_never_administers_and_goes_with_its_user() {
    let place = Place::new();
    let accounts = place.open(AuthProvider::MultiUser);
    place.users().add("eve", Role::Admin).unwrap();
    let ann = place.users().add("ann", Role::Admin).unwrap();
    let caller = accounts.verify(&ann.token).await.unwrap();
    let made = accounts.create_key(&caller, "k".into(), None).await;
    let made = made.unwrap();
    let by_key = accounts.verify(&made.token).await.unwrap();
    assert_eq!(
        by_key,
        Caller {
            by_key: true,
            ..Caller::user(&ann.record.user_id)
        }
    );
    let refused = accounts.create_key(&by_key, "l".into(), None).await;
    assert!(matches!(refused, Err(KeyError::ByKey)));
    place.users().remove("ann").unwrap();
    assert_eq!(detail(&accounts, &made.token).await, BAD_KEY);
    let owners = accounts
        .create_key(&Caller::local(), "o".into(), None)
        .await;
    let owners = accounts.verify(&owners.unwrap().token).await.unwrap();
    assert_eq!((owners.user_id.as_str(), owners.admin), (OWNER, false));
    let unknown = format!("ntk_{}", "A".repeat(43));
    assert_eq!(detail(&accounts, &unknown).await, BAD_KEY);
    assert_eq!(detail(&accounts, "ntk_x").await, "Invalid bearer token");
}

#[tokio::test]
async fn without_a_database_there_are_no_keys() {
    let place = Place::new();
    let accounts = Accounts::open(&place.config(AuthProvider::Static, |_| ()), None).unwrap();
    let key = format!("ntk_{}", "A".repeat(43));
    assert_eq!(detail(&accounts, &key).await, BAD_KEY);
    let refused = accounts.list_keys(&Caller::local()).await;
    assert!(matches!(refused, Err(KeyError::NotHere)));
}

#[tokio::test]
async fn a_ticket_is_no_token_and_holds_once() {
    let place = Place::new();
    let accounts = place.open(AuthProvider::Static);
    let caller = Caller::user("u");
    let ticket = accounts.issue_ticket(&caller).unwrap();
    assert_eq!(detail(&accounts, &ticket).await, "Invalid static token");
    assert_eq!(accounts.redeem("the server's own token"), None);
    assert_eq!(accounts.redeem(&ticket), Some(caller));
    assert_eq!(accounts.redeem(&ticket), None);
}

#[tokio::test]
async fn the_servers_token_is_made_only_where_tokens_are_asked_for() {
    let place = Place::new();
    let file = place.0.path().join(".config/nodetool/deployment.yaml");
    let open = |provider| {
        let config = place.config(provider, |over| over.server_auth_token = None);
        Accounts::open(&config, Store::open_in_memory().unwrap())
    };
    let accounts = open(AuthProvider::Local).unwrap();
    assert!(!file.exists());
    assert_eq!(detail(&accounts, "x").await, "Invalid bearer token");
    let accounts = open(AuthProvider::Static).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let token = text.split('"').nth(1).unwrap();
    assert_eq!(accounts.verify(token).await.unwrap(), Caller::local());
}

#[tokio::test]
async fn what_a_provider_needs_is_asked_for() {
    let place = Place::new();
    let open = |change: fn(&mut Overrides)| {
        let config = place.config(AuthProvider::Supabase, change);
        let opened = Accounts::open(&config, Store::open_in_memory().unwrap());
        opened.err().map(|e| format!("{e:#}")).unwrap_or_default()
    };
    assert!(open(|_| ()).contains("SUPABASE_KEY"));
    let told = open(|over| over.supabase_key = Some(Sensitive::new("k")));
    assert!(told.contains("SUPABASE_URL"), "{told}");
    let told = open(|over| {
        over.supabase_key = Some(Sensitive::new("k"));
        over.supabase_url = Some("nonsense".into());
    });
    assert!(told.contains("supabase_url"), "{told}");
    let homeless = Overrides {
        data_dir: Some(place.0.path().to_owned()),
        auth_provider: Some(AuthProvider::Static),
        ..Overrides::default()
    };
    let config = Config::load(homeless).unwrap();
    let told = Accounts::open(&config, Store::open_in_memory().unwrap());
    let told = told.err().unwrap().to_string();
    assert!(told.contains("SERVER_AUTH_TOKEN"), "{told}");
}

#[tokio::test]
async fn users_of_supabase_administer_when_they_are_named() {
    let routes = axum::Router::new().route(
        "/auth/v1/user",
        axum::routing::get(|headers: axum::http::HeaderMap| async move {
            let token = headers["authorization"].to_str().unwrap_or_default();
            serde_json::json!({ "id": token.trim_start_matches("Bearer ") }).to_string()
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut serving = tokio::task::JoinSet::new();
    serving.spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let place = Place::new();
    let config = place.config(AuthProvider::Supabase, |over| {
        over.supabase_key = Some(Sensitive::new("k"));
        over.supabase_url = Some(format!("http://{address}"));
        over.admin_users = vec!["boss".into(), " ".into()];
    });
    let accounts = Accounts::open(&config, Store::open_in_memory().unwrap()).unwrap();
    let boss = accounts.verify("boss").await.unwrap();
    assert!(boss.admin && boss.user_id == "boss");
    assert_eq!(accounts.verify("ann").await.unwrap(), Caller::user("ann"));
    let none = accounts.list_users().await.unwrap_err().to_string();
    assert_eq!(
        none,
        "User management not available for current auth provider"
    );
}

#[tokio::test]
async fn users_are_managed_where_there_is_a_file_of_them() {
    let place = Place::new();
    let accounts = place.open(AuthProvider::MultiUser);
    let admin = Caller::local();
    let add = |name: &str, role: &str| accounts.add_user(&admin, name.into(), role.into());
    let ann = add("ann", "admin").await.unwrap();
    let told = add("bob", "king").await.err().unwrap().to_string();
    assert_eq!(told, "Invalid role: king. Must be 'admin' or 'user'");
    let listed = accounts.list_users().await.unwrap();
    assert_eq!(listed, std::slice::from_ref(&ann.record));
    let reset = accounts.reset_user_token(&admin, "ann".into()).await;
    assert!(accounts.verify(&ann.token).await.is_err());
    assert!(accounts.verify(&reset.unwrap().token).await.unwrap().admin);
    let refused = accounts.remove_user(&admin, "ann".into()).await;
    assert!(matches!(refused, Err(UsersError::LastAdmin(_))));
    let missing = accounts.get_user("bob".into()).await;
    assert!(matches!(missing, Err(UsersError::NotFound(_))));
}
