//! Keys, the configured token, and limits together.

use std::net::Ipv4Addr;

use rstest::rstest;

use super::*;
use crate::domain::ApiKey;
use crate::store::SqliteStore;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

struct Place {
    _directory: tempfile::TempDir,
    store: Arc<SqliteStore>,
    access: Access,
}

fn access(master: Option<&str>) -> Place {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(&directory.path().join("aegis.db")).unwrap());
    let rules = Rules { master: master.map(Secret::new), ..Rules::default() };
    let access = Access::new(rules, store.clone(), store.clone());
    Place { _directory: directory, store, access }
}

fn key(name: &str, role: Role) -> ApiKey {
    ApiKey {
        id: mint_id().unwrap(),
        name: name.into(),
        role,
        permissions: role.permissions(),
        rate_limit: None,
        created_at: Timestamp::now(),
        expires_at: None,
        last_used_at: None,
    }
}

fn later(seconds: i64) -> Timestamp {
    Timestamp::from_millis(Timestamp::now().millis() + seconds * 1000).unwrap()
}

#[test]
fn the_first_key_closes_the_door() {
    let Place { store, access, .. } = &access(None);
    assert_eq!(access.identify(None), Ok(Identity::everyone()));
    let (one, text) = (key("one", Role::Viewer), mint(KEY_PREFIX).unwrap());
    store.insert_api_key(&one, &hash(&text)).unwrap();
    assert_eq!(access.identify(None), Err(Denied::NoToken));
    assert_eq!(access.identify(Some("aegis_no")), Err(Denied::BadToken));
    assert_eq!(access.identify(Some(&mint(KEY_PREFIX).unwrap())), Err(Denied::BadToken));
    assert_eq!(access.identify(Some(&text)).unwrap().key, Some(one.id.clone()));
    assert!(store.api_keys().unwrap()[0].last_used_at.is_some());
    assert!(store.delete_api_key(&one.id).unwrap());
    assert!(!store.delete_api_key(&one.id).unwrap());
    assert_eq!(access.identify(None), Ok(Identity::everyone()));
}

#[test]
fn a_key_made_elsewhere_counts_at_once() {
    let place = access(Some("hush"));
    let elsewhere = SqliteStore::open(&place._directory.path().join("aegis.db")).unwrap();
    let (one, text) = (key("one", Role::Operator), mint(KEY_PREFIX).unwrap());
    assert_eq!(place.access.identify(Some(&text)), Err(Denied::BadToken));
    elsewhere.insert_api_key(&one, &hash(&text)).unwrap();
    assert_eq!(place.access.identify(Some(&text)).unwrap().name.as_deref(), Some("one"));
    elsewhere.delete_api_key(&one.id).unwrap();
    assert_eq!(place.access.identify(Some(&text)), Err(Denied::BadToken));
}

#[test]
fn a_store_that_lost_its_keys_lets_nobody_in() {
    let place = access(None);
    place.store.insert_api_key(&key("one", Role::Viewer), "hash").unwrap();
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(place._directory.path().join(format!("aegis.db{end}")));
    }
    assert_eq!(place.access.identify(None), Err(Denied::NoToken));
    assert_eq!(place.store.api_keys().unwrap(), []);
}

#[test]
fn a_rotated_key_has_two_texts_for_a_while() {
    let Place { store, access, .. } = &access(Some("hush"));
    let one = key("one", Role::Operator);
    let [old, new, newest] = [(); 3].map(|()| mint(KEY_PREFIX).unwrap());
    store.insert_api_key(&one, &hash(&old)).unwrap();
    store.rotate_api_key(&one.id, &hash(&new), None, later(60)).unwrap().unwrap();
    assert!(access.identify(Some(&old)).is_ok() && access.identify(Some(&new)).is_ok());
    let end = later(3600);
    let rotated = store.rotate_api_key(&one.id, &hash(&newest), Some(end), Timestamp::now()).unwrap();
    assert_eq!(rotated.unwrap().expires_at, Some(end));
    assert_eq!(access.identify(Some(&old)), Err(Denied::Expired));
    assert_eq!(access.identify(Some(&new)), Err(Denied::Expired));
    assert!(access.identify(Some(&newest)).is_ok());
    assert_eq!(store.rotate_api_key("none", "x", None, later(1)).unwrap(), None);
}

#[test]
fn a_key_ends_when_it_says() {
    let Place { store, access, .. } = &access(None);
    let text = mint(KEY_PREFIX).unwrap();
    let ended = ApiKey { expires_at: Some(later(-1)), ..key("one", Role::Admin) };
    store.insert_api_key(&ended, &hash(&text)).unwrap();
    assert_eq!(access.identify(Some(&text)), Err(Denied::Expired));
}

#[test]
fn wrong_tokens_are_told_to_wait_and_right_ones_are_not() {
    let Place { access, .. } = &access(Some("hush"));
    for _ in 0..BAD_TOKENS {
        assert_eq!(access.admit(Some("wrong"), HERE), Err(Denied::BadToken));
    }
    assert!(matches!(access.admit(Some("wrong"), HERE), Err(Denied::BadOften(_))));
    assert_eq!(access.admit(Some("hush"), HERE), Ok((Identity::master(), None)));
    for _ in 0..30 {
        assert_eq!(access.admit(None, HERE), Err(Denied::NoToken));
    }
    assert!(matches!(access.admit(None, HERE), Err(Denied::UnknownOften(_))));
    assert_eq!(access.admit(None, Ipv4Addr::new(10, 0, 0, 1).into()), Err(Denied::NoToken));
    access.set_rules(Rules { limited: false, master: Some(Secret::new("hush")), ..Rules::default() });
    assert_eq!(access.admit(Some("wrong"), HERE), Err(Denied::BadToken));
}

#[test]
fn a_key_has_its_own_limit() {
    let Place { store, access, .. } = &access(Some("hush"));
    let text = mint(KEY_PREFIX).unwrap();
    store.insert_api_key(&ApiKey { rate_limit: Some(2), ..key("one", Role::Admin) }, &hash(&text)).unwrap();
    let left = access.admit(Some(&text), HERE).unwrap().1.unwrap();
    assert_eq!((left.limit, left.remaining), (2, 1));
    access.admit(Some(&text), HERE).unwrap();
    assert!(matches!(access.admit(Some(&text), HERE), Err(Denied::KeyOften(_))));
    for _ in 0..200 {
        access.admit(Some("hush"), HERE).unwrap();
    }
}

#[test]
fn a_ticket_stands_for_its_key_as_it_is_now() {
    let Place { store, access, .. } = &access(Some("hush"));
    let (one, text) = (key("one", Role::Viewer), mint(KEY_PREFIX).unwrap());
    store.insert_api_key(&one, &hash(&text)).unwrap();
    let identity = access.identify(Some(&text)).unwrap();
    let ticket = access.ticket(&identity).unwrap().unwrap();
    assert_eq!(access.redeem(&ticket.token), Some(identity.clone()));
    let ticket = access.ticket(&identity).unwrap().unwrap();
    store.delete_api_key(&one.id).unwrap();
    assert_eq!(access.redeem(&ticket.token), None);
    let master = access.ticket(&Identity::master()).unwrap().unwrap();
    assert_eq!(access.redeem(&master.token), Some(Identity::master()));
}

/// How a caller whose stream is open comes to count no longer; what is done to the key is done by another process.
#[derive(Clone, Copy, Debug)]
enum End {
    Removed,
    Expired,
    Rotated,
    Replaced,
    FirstKey,
}

#[rstest]
#[case(End::Removed)]
#[case(End::Expired)]
#[case(End::Rotated)]
#[case(End::Replaced)]
#[case(End::FirstKey)]
#[tokio::test]
async fn whoever_no_longer_counts_is_told_while_its_stream_is_open(#[case] end: End) {
    let master = matches!(end, End::Replaced).then_some("hush");
    let Place { _directory: directory, store, access } = access(master);
    let access = Arc::new(access);
    let elsewhere = SqliteStore::open(&directory.path().join("aegis.db")).unwrap();
    let [(one, text), (other, other_text)] =
        ["one", "other"].map(|name| (key(name, Role::Viewer), mint(KEY_PREFIX).unwrap()));
    let shown = match end {
        End::Replaced => Some("hush"),
        End::FirstKey => None,
        End::Removed | End::Expired | End::Rotated => {
            for (key, text) in [(&one, &text), (&other, &other_text)] {
                store.insert_api_key(key, &hash(text)).unwrap();
            }
            Some(text.as_str())
        }
    };
    let standing = access.standing(&access.identify(shown).unwrap());
    let spared = shown.filter(|shown| *shown == text).map(|_| {
        let identity = access.identify(Some(&other_text)).unwrap();
        (access.standing(&identity), access.ticket(&identity).unwrap().unwrap())
    });
    match end {
        End::Removed => assert!(elsewhere.delete_api_key(&one.id).unwrap()),
        End::Expired => {
            // Its own text, with an end that is near.
            let near = Timestamp::from_millis(Timestamp::now().millis() + 200).unwrap();
            elsewhere.rotate_api_key(&one.id, &hash("none's"), Some(near), near).unwrap().unwrap();
        }
        End::Rotated => {
            elsewhere.rotate_api_key(&one.id, &hash("new"), None, Timestamp::now()).unwrap().unwrap();
        }
        End::Replaced => access.set_rules(Rules { master: Some(Secret::new("new")), ..Rules::default() }),
        End::FirstKey => elsewhere.insert_api_key(&one, &hash(&text)).unwrap(),
    }
    tokio::time::timeout(Duration::from_secs(5), standing.lost()).await.unwrap();
    if let Some((spared, ticket)) = spared {
        assert!(!spared.is_lost());
        assert!(access.redeem(&ticket.token).is_some());
    }
}

#[test]
fn a_ticket_of_a_text_that_was_rotated_away_counts_no_longer() {
    let Place { store, access, .. } = &access(Some("hush"));
    let (one, text) = (key("one", Role::Viewer), mint(KEY_PREFIX).unwrap());
    store.insert_api_key(&one, &hash(&text)).unwrap();
    let ticket = access.ticket(&access.identify(Some(&text)).unwrap()).unwrap().unwrap();
    store.rotate_api_key(&one.id, &hash("new"), None, Timestamp::now()).unwrap().unwrap();
    assert_eq!(access.redeem(&ticket.token), None);
}
