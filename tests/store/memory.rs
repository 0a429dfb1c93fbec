//! Texts under keys, and when they are gone.

use aegis::domain::{MemoryEntry, MemoryKey};
use aegis::store::MemoryStore;

use super::{at, open};

fn key(text: &str) -> MemoryKey {
    text.parse().unwrap()
}

/// Sets a key at a time, for so many milliseconds or for ever.
fn set(store: &dyn MemoryStore, name: &str, value: &str, now: i64, life: Option<i64>) -> MemoryEntry {
    store.set_memory(&key(name), value, "cli", life.map(|life| at(now + life)), at(now)).unwrap()
}

fn get(store: &dyn MemoryStore, name: &str, now: i64) -> Option<String> {
    store.memory(&[key(name)], at(now)).unwrap().remove(0).map(|entry| entry.value)
}

fn keys(store: &dyn MemoryStore, prefix: &str, now: i64) -> Vec<String> {
    let page = store.memory_page(prefix, None, 100, at(now)).unwrap();
    page.into_iter().map(|entry| entry.key.to_string()).collect()
}

#[test]
fn a_key_is_set_and_set_again() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (open(directory.path()), open(directory.path()));
    let first = set(&one, "a/b", "first", 1, Some(100));
    assert_eq!((first.created_at, first.updated_at, first.expires_at), (at(1), at(1), Some(at(101))));
    // Another server sees it, and sets it to stay.
    assert_eq!(two.memory(&[key("a/b")], at(2)).unwrap(), [Some(first)]);
    let second = two.set_memory(&key("a/b"), "second", "session:x", None, at(3)).unwrap();
    let expected = MemoryEntry {
        key: key("a/b"),
        value: "second".into(),
        owner: "session:x".into(),
        created_at: at(1),
        updated_at: at(3),
        expires_at: None,
    };
    assert_eq!(second, expected);
    assert_eq!(one.memory(&[key("a/b")], at(1_000)).unwrap(), [Some(expected)]);
    assert!(one.delete_memory(&key("a/b"), at(1_000)).unwrap());
    assert!(!two.delete_memory(&key("a/b"), at(1_000)).unwrap());
    assert_eq!(get(&one, "a/b", 1_000), None);
}

#[test]
fn what_has_expired_is_never_seen_again() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (open(directory.path()), open(directory.path()));
    set(&one, "a/short", "x", 0, Some(1_000));
    set(&one, "a/stays", "y", 0, None);
    assert_eq!(get(&two, "a/short", 999).as_deref(), Some("x"));
    for store in [&one, &two] {
        assert_eq!(get(store, "a/short", 1_000), None);
        assert_eq!(keys(store, "", 1_000), ["a/stays"]);
        assert_eq!(store.memory_keys(9, at(1_000)).unwrap(), ["a/stays"]);
    }
    assert!(!two.delete_memory(&key("a/short"), at(1_000)).unwrap());
    // The last write removed it, so a clock that is set back does not bring it back.
    assert_eq!(get(&one, "a/short", 500), None);
    // And a key that comes again is a new one.
    set(&one, "a/again", "old", 0, Some(10));
    assert_eq!(set(&two, "a/again", "new", 20, None).created_at, at(20));
}

#[test]
fn several_keys_are_read_in_their_order() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    set(&store, "n/one", "1", 0, None);
    set(&store, "n/two", "2", 0, None);
    let wanted = [key("n/two"), key("n/none"), key("n/one"), key("n/two")];
    let found = store.memory(&wanted, at(1)).unwrap();
    let values: Vec<_> = found.iter().map(|entry| entry.as_ref().map(|entry| entry.value.as_str())).collect();
    assert_eq!(values, [Some("2"), None, Some("1"), Some("2")]);
}

#[test]
fn pages_go_by_the_order_of_the_keys_and_a_prefix_is_no_pattern() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let all = ["a%b/1", "a/1", "a/10", "a/2", "ab/1", "über/1", "über/2"];
    for name in all {
        set(&store, name, name, 0, None);
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.memory_page("", after.as_deref(), 2, at(1)).unwrap();
        found.extend(page.iter().map(|entry| entry.key.to_string()));
        if page.len() < 2 {
            break;
        }
        after = found.last().cloned();
    }
    assert_eq!(found, all);
    assert_eq!(keys(&store, "a/", 1), ["a/1", "a/10", "a/2"]);
    assert_eq!(keys(&store, "a%", 1), ["a%b/1"]);
    assert_eq!(keys(&store, "ü", 1), ["über/1", "über/2"]);
    assert_eq!(keys(&store, "z", 1), [""; 0]);
}

#[test]
fn a_value_comes_back_to_the_byte() {
    let directory = tempfile::tempdir().unwrap();
    let value = "line\r\n\0\u{1f980} 'quoted' \"";
    set(&open(directory.path()), "a/b", value, 0, None);
    assert_eq!(get(&open(directory.path()), "a/b", 1).as_deref(), Some(value));
    set(&open(directory.path()), "a/b", "", 0, None);
    assert_eq!(get(&open(directory.path()), "a/b", 1).as_deref(), Some(""));
}
