use std::os::unix::fs::MetadataExt;

use super::*;

struct Place {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config/users.yaml");
        Place {
            _folder: folder,
            path,
        }
    }

    fn file(&self) -> UsersFile {
        UsersFile::new(self.path.clone())
    }
}

async fn who(file: &UsersFile, token: &str) -> Option<String> {
    let record = file.verify(&Digest::of(token)).await.unwrap();
    record.map(|r| r.username)
}

#[tokio::test]
async fn a_user_is_known_by_the_last_token_that_was_given() {
    let place = Place::new();
    let (server, command) = (place.file(), place.file());
    assert_eq!(who(&server, "x").await, None, "no file, no users");
    let ann = command.add("ann", Role::Admin).unwrap();
    let bob = command.add("bob", Role::User).unwrap();
    assert_eq!(
        std::fs::metadata(&place.path).unwrap().mode() & 0o777,
        0o600
    );
    let tail = ann.record.user_id.strip_prefix("user_ann_").unwrap();
    assert!(
        tail.len() == 8 && tail.bytes().all(|c| c.is_ascii_hexdigit()),
        "{tail}"
    );
    assert_eq!(ann.token.len(), 43);
    assert_eq!(who(&server, &ann.token).await.as_deref(), Some("ann"));
    assert_eq!(who(&server, &bob.token).await.as_deref(), Some("bob"));
    assert_eq!(who(&server, &bob.token[1..]).await, None);
    assert_eq!(who(&server, &bob.record.token.hex()).await, None);
    let again = command.reset_token("bob").unwrap();
    assert_eq!(again.record.user_id, bob.record.user_id);
    assert_eq!(who(&server, &bob.token).await, None);
    assert_eq!(who(&server, &again.token).await.as_deref(), Some("bob"));
    let removed = command.remove("bob").unwrap();
    assert_eq!(removed, again.record);
    assert_eq!(who(&server, &again.token).await, None);
    assert!(!server.has(&removed.user_id).await.unwrap());
    assert!(server.has(&ann.record.user_id).await.unwrap());
    assert_eq!(server.list().unwrap(), [ann.record]);
}

#[test]
fn names_are_plain_and_given_once() {
    let file_at = Place::new();
    let file = file_at.file();
    for bad in [
        "",
        "reset-token",
        ".",
        "..",
        "a b",
        "a/b",
        "é",
        "a\n",
        &"x".repeat(65),
    ] {
        assert!(
            matches!(file.add(bad, Role::User), Err(UsersError::BadName)),
            "{bad}"
        );
    }
    for good in ["a", "A.b-c_9", "true", "1.0", &"x".repeat(64)] {
        file.add(good, Role::User).unwrap();
    }
    let told = file.add("a", Role::Admin).err().unwrap().to_string();
    assert_eq!(told, "User 'a' already exists");
    assert_eq!(file.get("b").unwrap_err().to_string(), "User 'b' not found");
    let told = file
        .reset_token(&"b".repeat(5000))
        .err()
        .unwrap()
        .to_string();
    assert!(told.len() < 100, "{told}");
    assert!(Role::of("root").unwrap_err().to_string().contains("root"));
}

#[test]
fn the_last_admin_stays() {
    let place = Place::new();
    let file = place.file();
    file.add("ann", Role::Admin).unwrap();
    file.add("bob", Role::User).unwrap();
    let told = file.remove("ann").unwrap_err().to_string();
    assert!(told.contains("'ann'"), "{told}");
    file.add("eve", Role::Admin).unwrap();
    file.remove("ann").unwrap();
    assert!(matches!(file.remove("eve"), Err(UsersError::LastAdmin(_))));
    file.remove("bob").unwrap();
    assert!(matches!(file.remove("bob"), Err(UsersError::NotFound(_))));
    assert_eq!(file.list().unwrap().len(), 1);
}

#[tokio::test]
async fn nobody_is_let_in_by_a_broken_file_until_it_is_mended() {
    let place = Place::new();
    let file = place.file();
    let ann = file.add("ann", Role::Admin).unwrap();
    assert!(who(&file, &ann.token).await.is_some());
    let good = std::fs::read_to_string(&place.path).unwrap();
    std::fs::write(&place.path, good.replace("role: admin", "role: king")).unwrap();
    for _ in 0..2 {
        let told = file.verify(&Digest::of(&ann.token)).await.unwrap_err();
        let told = told.to_string();
        let begin = format!("{}:6: ", place.path.display());
        assert!(told.starts_with(&begin), "{told}");
        assert_eq!(*file.told(), told);
    }
    assert!(file.add("bob", Role::User).is_err(), "nothing is lost");
    assert!(
        std::fs::read_to_string(&place.path)
            .unwrap()
            .contains("king")
    );
    std::fs::write(&place.path, good).unwrap();
    assert!(who(&file, &ann.token).await.is_some());
    assert_eq!(*file.told(), "");
    std::fs::remove_file(&place.path).unwrap();
    assert_eq!(who(&file, &ann.token).await, None);
    std::fs::create_dir(&place.path).unwrap();
    assert!(file.verify(&Digest::of(&ann.token)).await.is_err());
}

#[test]
fn users_added_at_the_same_time_are_all_there() {
    let place = Place::new();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let file = place.file();
            scope.spawn(move || {
                for i in 0..5 {
                    file.add(&format!("u{thread}{i}"), Role::User).unwrap();
                }
            });
        }
    });
    assert_eq!(place.file().list().unwrap().len(), 20);
}
