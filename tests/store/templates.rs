//! Templates.

use std::collections::BTreeMap;

use aegis::domain::{PermissionMode, SecretEnv, Template, TemplateChange, TemplateField, TemplateId};
use aegis::store::{StoreError, TemplateStore};

use super::together::at_once;
use super::{at, open};

fn template(name: &str, made: i64) -> Template {
    let mut template = Template::new(TemplateId::mint(), name.into(), at(made));
    let settings = TemplateChange {
        prompt: Some("Look at {{file}}.".into()),
        permission_mode: Some(PermissionMode::Plan),
        env: Some(SecretEnv(BTreeMap::from([("TOKEN".into(), "hidden".into())]))),
        memory_keys: Some(vec!["team/rules".parse().unwrap()]),
        ..TemplateChange::default()
    };
    template.change(&settings, at(made));
    template
}

fn named(name: &str) -> TemplateChange {
    TemplateChange { name: Some(name.into()), ..TemplateChange::default() }
}

#[test]
fn a_template_is_kept_found_changed_and_removed() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (open(directory.path()), open(directory.path()));
    let mut review = template("review", 1);
    one.insert_template(&review).unwrap();
    for reference in ["review".to_owned(), review.id.to_string()] {
        assert_eq!(two.template(&reference).unwrap().as_ref(), Some(&review), "{reference}");
    }
    for reference in ["revie", "", &TemplateId::mint().to_string()] {
        assert_eq!(two.template(reference).unwrap(), None, "{reference}");
    }
    let change = TemplateChange {
        model: Some("opus".into()),
        clear: vec![TemplateField::Env, TemplateField::Prompt],
        ..named("look")
    };
    let changed = two.update_template(review.id, &change, at(5)).unwrap().unwrap();
    review.name = "look".into();
    review.model = Some("opus".into());
    (review.env, review.prompt, review.updated_at) = (SecretEnv::default(), None, at(5));
    assert_eq!(changed, review);
    assert_eq!((one.template("review").unwrap(), one.template("look").unwrap()), (None, Some(review)));
    assert!(one.delete_template(changed.id).unwrap());
    assert!(!two.delete_template(changed.id).unwrap());
    assert_eq!(two.update_template(changed.id, &change, at(6)).unwrap(), None);
}

#[test]
fn a_name_belongs_to_one_template() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let (first, second) = (template("first", 1), template("second", 2));
    store.insert_template(&first).unwrap();
    store.insert_template(&second).unwrap();
    let taken = |result: Result<(), StoreError>| {
        assert!(matches!(result, Err(StoreError::TemplateExists { name }) if name == "first"));
    };
    taken(store.insert_template(&template("first", 3)));
    taken(store.update_template(second.id, &named("first"), at(4)).map(drop));
    assert_eq!(store.template("second").unwrap(), Some(second), "a change that fails changes nothing");
    store.update_template(first.id, &named("first"), at(5)).unwrap();
}

#[test]
fn pages_begin_with_what_was_changed_last() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let mut all: Vec<_> =
        [1, 2, 2, 2, 3].iter().enumerate().map(|(n, at)| template(&n.to_string(), *at)).collect();
    all.iter().for_each(|template| store.insert_template(template).unwrap());
    all.sort_by_key(|template| std::cmp::Reverse((template.updated_at, template.id.to_string())));
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = store.templates(before, 2).unwrap();
        found.extend(page.iter().cloned());
        if page.len() < 2 {
            break;
        }
        before = found.last().map(|last| (last.updated_at, last.id));
    }
    assert_eq!(found, all);
}

#[test]
fn changes_at_the_same_moment_are_all_kept() {
    let directory = tempfile::tempdir().unwrap();
    let made = template("one", 1);
    open(directory.path()).insert_template(&made).unwrap();
    let parts = [
        TemplateChange { model: Some("opus".into()), ..TemplateChange::default() },
        TemplateChange { description: Some("Looks.".into()), ..TemplateChange::default() },
        TemplateChange { work_dir: Some("/work".into()), ..TemplateChange::default() },
        TemplateChange { clear: vec![TemplateField::MemoryKeys], ..TemplateChange::default() },
    ];
    let next = std::sync::atomic::AtomicUsize::new(0);
    at_once(directory.path(), parts.len(), |store| {
        let mine = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        store.update_template(made.id, &parts[mine], at(2)).unwrap();
    });
    let kept = open(directory.path()).template("one").unwrap().unwrap();
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    assert_eq!(
        (text(&kept.model), text(&kept.description), text(&kept.work_dir)),
        ("opus".into(), "Looks.".into(), "/work".into())
    );
    assert_eq!((kept.memory_keys, kept.prompt), (Vec::new(), made.prompt));
}
