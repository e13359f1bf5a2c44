//! Forwarding rules that are changed while the engine runs, and asked when it does not.

use std::fs;

use crate::running::Engine;

const RULES: &str = "[general]\nCIRCULARLEVEL=3\ndial=Local/{number}@phones\n\
    [chiefs]\ntype=group\nAuthorizedForward=yes\nAuthorizedForwardExternalBusyNoAnswer=no\n\
    AuthorizeSimpleRules=yes\nIsUserAuthorizedToCreateWithAdminRules=yes\n\
    AuthorizeShareRulesGroup=desk\nAuthorizeInterception=yes\n\
    [desk]\ntype=group\nAuthorizedForward=yes\nIsUserAuthorizedToCreateWithAdminRules=yes\n\
    [boss]\ntype=user\nnumber=1001\nwatch=Custom:boss\ngroup=chiefs\n\
    [anna]\ntype=user\nnumber=1002\ngroup=desk\n\
    [away]\ntype=rule\nuser=boss\npriority=10\npresence=absent\ntarget=1002\neditable=yes\n\
    [back]\ntype=rule\nuser=anna\npriority=10\nforward=busy\ntarget=1003\n";

fn said(engine: &Engine, words: &str) -> (Option<i32>, String) {
    let output = engine.diesis(words);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).trim().to_owned())
}

#[test]
fn rul_6_rules_are_changed_by_command_within_rights_and_are_there_after_a_restart() {
    let mut engine = Engine::start("rules");
    fs::write(engine.directory.join("rules.conf"), RULES).unwrap();
    assert!(engine.diesis("reload").status.success());
    let explain = "rules explain boss --from 0144000000";
    assert_eq!(
        said(&engine, &format!("{explain} --at 2026-11-23T10:00:00Z")).0,
        Some(1),
        "nobody said that the boss is away"
    );
    assert_eq!(said(&engine, "rules presence boss absent").1, "boss is absent");
    let (code, told) = said(&engine, explain);
    assert_eq!(code, Some(0));
    assert!(told.starts_with("boss: forward to 1002 by rule 10 (away)"), "{told}");
    assert!(told.contains("presence absent: by command"), "{told}");
    assert!(told.contains("rule 10 away (admin, to 1002): holds"), "{told}");
    // By rights: own rules, within the matrix, and in no circle.
    let (code, told) = said(&engine, "rules add boss 5 target=1009 --as anna");
    assert_eq!((code, told.as_str()), (Some(1), "diesis: anna has no right to the rules of boss"));
    let (_, told) = said(&engine, "rules add anna 5 target=1009 --as anna");
    assert!(told.contains("AuthorizeSimpleRules"), "{told}");
    let refused =
        "rules add boss 5 origin=external presence=busy forward=noanswer target=1009 --as boss";
    let (_, told) = said(&engine, refused);
    assert!(told.contains("AuthorizedForwardExternalBusyNoAnswer"), "{told}");
    let (_, told) = said(&engine, "rules set anna 10 target=1001");
    assert!(told.contains("not editable"), "{told}");
    let (_, told) = said(&engine, "rules add anna 20 target=1001");
    assert_eq!(
        told,
        "diesis: calls would go in a circle: anna -[rule 20]-> boss -[rule 10]-> anna"
    );
    let (code, _) =
        said(&engine, "rules add boss 5 presence=absent origin=internal target=1009 --as boss");
    assert_eq!(code, Some(0));
    let (code, told) = said(&engine, "rules set boss 10 target=1008 --as boss");
    assert_eq!(code, Some(0), "{told}");
    let rows = engine.rows("rules show boss");
    assert_eq!(rows.len(), 2);
    assert_eq!((&rows[0]["rule"], &rows[0]["owner"]), (&5.into(), &"user".into()));
    assert_eq!((&rows[1]["target"], &rows[1]["owner"]), (&"1008".into(), &"admin".into()));
    // The group sees the first active one.
    let shared = engine.rows("rules show boss --as anna");
    assert_eq!((shared.len(), &shared[0]["rule"]), (1, &5.into()));
    assert_eq!(engine.rows("rules list").len(), 2);
    // The telephone's state is presence when nobody says otherwise.
    assert_eq!(said(&engine, "rules presence boss auto").1, "boss is online");
    assert!(engine.diesis("database put CustomDevstate/boss INUSE").status.success());
    assert!(said(&engine, explain).1.contains("presence busy: Custom:boss is INUSE"));
    assert_eq!(said(&engine, "rules presence boss absent").0, Some(0));
    assert!(engine.diesis("stop").status.success());
    assert!(engine.child.wait().unwrap().success());
    // Without an engine: the configuration, and what it kept.
    let (code, told) = said(&engine, &format!("{explain} --json"));
    assert_eq!(code, Some(0), "{told}");
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["target"], &told["rule"]), (&"1008".into(), &10.into()));
    assert_eq!(told["rules"][0]["verdict"], "origin");
    let engine = engine.start_again();
    assert!(said(&engine, explain).1.starts_with("boss: forward to 1008"));
    assert_eq!(said(&engine, "rules explain nobody").0, Some(2));
    assert_eq!(said(&engine, "rules explain boss --at soon").0, Some(2));
    assert_eq!(said(&engine, "rules remove boss 5").1, "rule 5 of boss is gone");
    assert_eq!(said(&engine, "rules remove boss 10").1, "rule 10 of boss is gone");
    assert!(said(&engine, explain).1.starts_with("boss: forward to 1002"));
}

#[test]
fn rul_1_whoever_sets_an_announcement_that_does_not_exist_is_told_at_once() {
    let engine = Engine::start("rules-sounds");
    let configured = RULES.replace("target=1003", "target=1003\nannouncement=gone");
    fs::write(engine.directory.join("rules.conf"), configured).unwrap();
    let (_, told) = said(&engine, "reload");
    for words in [
        "rules.conf:38:14: warning[C015]: prompt \"gone\" does not exist",
        "looked in ",
        "forwarding rules: changed",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let (code, told) = said(&engine, "rules add boss 5 target=1009 announcement=beep&nosuch");
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("rule 5 of boss: active=yes"), "{told}");
    assert!(told.contains("warning: prompt \"nosuch\" does not exist in language"), "{told}");
    assert!(told.contains("callers hear nothing in its place until it is recorded"), "{told}");
    let (_, told) = said(&engine, "rules set boss 5 announcement=beep");
    assert!(!told.contains("warning"), "{told}");
}

#[test]
fn rul_6_calls_are_listed_for_those_who_may_see_them() {
    let engine = Engine::start("rules-calls");
    let rules = RULES.replace(
        "AuthorizeInterception=yes",
        "AuthorizeInterception=yes\nAuthorizeSupervisionInformation=yes",
    );
    fs::write(engine.directory.join("rules.conf"), rules).unwrap();
    assert!(engine.diesis("reload").status.success());
    assert_eq!(engine.rows("rules calls boss --as anna").len(), 0);
    let (code, told) = said(&engine, "rules calls anna --as boss");
    assert_eq!(code, Some(1));
    assert_eq!(told, "diesis: boss may not see the calls of anna (AuthorizeShareRulesGroup)");
    let (code, told) = said(&engine, "rules calls nobody");
    assert_eq!(code, Some(1));
    assert!(told.contains("rules.conf has no user \"nobody\""), "{told}");
}
