//! Configurations against layouts written by hand, and hostile ones.

use super::{HANDLE, HANDLE_HEX};
use crate::WireError;
use crate::scmr::{
    Code, Config2, Config2Level, FailureAction, FailureActions, QueryServiceConfig2,
    QueryServiceConfig2Reply, QueryServiceConfigExReply, QueryServiceConfigReply, Reply, Request,
    ServiceConfig, StartType, Trigger, TriggerItem, trigger_type,
};
use crate::testing::{bytes, hex};
use insta::assert_snapshot;
use std::string::{String, ToString};
use std::{format, vec};

#[test]
fn the_configuration_of_a_service() {
    let layout = "10000000 02000000 01000000 00000200 00000000 00000000 04000200 08000200 00000000
         02000000 00000000 02000000 7000 0000
         05000000 00000000 05000000 6100 2f00 2b00 6200 0000 0000
         02000000 00000000 02000000 7500 0000
         00000000 00000000";
    let reply = QueryServiceConfigReply {
        config: Some(ServiceConfig {
            service_type: 0x10,
            start_type: 2,
            error_control: 1,
            binary_path: Some("p".into()),
            load_order_group: None,
            tag_id: 0,
            // The second one is a group. They are parted by slashes.
            dependencies: Some(vec!["a".into(), "+b".into()]),
            start_name: Some("u".into()),
            display_name: None,
        }),
        needed: 0,
        code: Code::SUCCESS,
    };
    assert_eq!(
        QueryServiceConfigReply::decode(&bytes(layout)).as_ref(),
        Ok(&reply)
    );
    assert_eq!(hex(&reply.encode()), hex(&bytes(layout)));
    let config = reply.config.expect("a configuration");
    assert_eq!(config.start(), Some(StartType::Automatic));
}

#[test]
fn a_refused_configuration_is_none_and_not_empty() {
    let layout = "00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
         40010000 7a000000";
    let reply = QueryServiceConfigReply::decode(&bytes(layout)).expect("a code");
    assert_eq!(
        reply,
        QueryServiceConfigReply {
            config: None,
            needed: 320,
            code: Code::INSUFFICIENT_BUFFER
        }
    );
    assert_eq!(hex(&reply.encode()), hex(&bytes(layout)));
}

#[test]
fn start_types_are_five() {
    for raw in 0..5 {
        assert_eq!(StartType::from_raw(raw).map(StartType::raw), Some(raw));
    }
    assert_eq!(StartType::from_raw(5), None);
}

/// A piece of optional configuration agrees with its layout both ways.
fn piece(config: &Config2, layout: &str) {
    assert_eq!(hex(&config.encode()), hex(&bytes(layout)));
    assert_eq!(
        Config2::decode(config.level(), &bytes(layout)).as_ref(),
        Ok(config)
    );
}

#[test]
fn the_seven_levels() {
    piece(
        &Config2::Description(Some("d".into())),
        "04000000 6400 0000",
    );
    piece(&Config2::Description(None), "00000000");
    piece(&Config2::DelayedAutoStart(true), "01000000");
    piece(&Config2::FailureActionsFlag(false), "00000000");
    piece(&Config2::ServiceSid(3), "03000000");
    piece(
        &Config2::RequiredPrivileges(vec!["a".into(), "bc".into()]),
        "04000000 6100 0000 6200 6300 0000 0000",
    );
    piece(&Config2::RequiredPrivileges(vec![]), "00000000");
    piece(&Config2::Preshutdown(180_000), "20bf0200");
    for level in Config2Level::ALL {
        assert_eq!(Config2Level::from_raw(level.raw()), Some(level));
    }
    assert_eq!(Config2Level::from_raw(8), None);
}

#[test]
fn failure_actions() {
    piece(
        &Config2::FailureActions(FailureActions {
            reset_period: 86_400,
            reboot_message: None,
            command: Some("c".into()),
            actions: vec![
                FailureAction {
                    action: 1,
                    delay: 60_000,
                },
                FailureAction {
                    action: 0,
                    delay: 0,
                },
            ],
        }),
        // The actions at 20, the command behind them at 36.
        "80510100 00000000 24000000 02000000 14000000  01000000 60ea0000 00000000 00000000  6300 0000",
    );
    piece(
        &Config2::FailureActions(FailureActions::default()),
        "00000000 00000000 00000000 00000000 00000000",
    );
}

#[test]
fn pieces_that_lie_are_refused() {
    let refused = |level, layout: &str| -> String {
        let error = Config2::decode(level, &bytes(layout));
        error.expect_err("it is refused").to_string()
    };
    let actions = Config2Level::FailureActions;
    assert_snapshot!(refused(actions, "00000000 00000000 00000000 ffffffff 14000000"), @"the failure actions is 4294967295, over the limit of 1024");
    assert_snapshot!(refused(actions, "00000000 00000000 00000000 00040000 14000000"), @"the failure actions is 1024, over the limit of 0");
    assert_snapshot!(refused(actions, "00000000 00000000 00000000 01000000 16000000 00000000 00000000"), @"the failure actions points to offset 22 of a buffer of 28 bytes");
    assert_snapshot!(refused(actions, "00000000 00000000 00000000 01000000 00000080"), @"the failure actions points to offset 2147483648 of a buffer of 20 bytes");
    assert_snapshot!(refused(actions, "00000000 15000000 00000000 00000000 00000000"), @"the reboot message points to offset 21 of a buffer of 20 bytes");
    assert_snapshot!(refused(Config2Level::Description, "04000000 6400"), @"the description has no end");
    assert_snapshot!(refused(Config2Level::Description, "0400"), @"the message ends inside the description: 4 bytes needed, 2 left");
    assert_snapshot!(refused(Config2Level::RequiredPrivileges, "04000000 6100 0000"), @"the required privileges has no end");
    assert_snapshot!(refused(Config2Level::Preshutdown, ""), @"the message ends inside the time before a shutdown: 4 bytes needed, 0 left");
}

#[test]
fn query_service_config2() {
    let request = QueryServiceConfig2::new(HANDLE, Config2Level::DelayedAutoStart);
    let layout = format!("{HANDLE_HEX} 03000000 04000000");
    assert_eq!(hex(&request.encode()), hex(&bytes(&layout)));
    assert_eq!(QueryServiceConfig2::decode(&bytes(&layout)), Ok(request));

    let layout = "04000000 01000000 04000000 00000000";
    let reply = QueryServiceConfig2Reply::decode(&bytes(layout)).expect("an answer");
    assert_eq!(
        reply.config(Config2Level::DelayedAutoStart),
        Ok(Some(Config2::DelayedAutoStart(true)))
    );
    assert_eq!(hex(&reply.encode()), hex(&bytes(layout)));

    // What the server does not have, or does not give, is none and no default.
    for code in [Code::INVALID_LEVEL, Code::ACCESS_DENIED] {
        let refused = QueryServiceConfig2Reply::refused(code, 4);
        let refused = QueryServiceConfig2Reply::decode(&refused.encode()).expect("a code");
        assert_eq!(refused.code(), code);
        assert_eq!(refused.config(Config2Level::DelayedAutoStart), Ok(None));
    }
}

#[test]
fn a_buffer_too_small_is_asked_for_again_within_reason() {
    let long = Config2::Description(Some("d".repeat(2000)));
    let request = QueryServiceConfig2::new(HANDLE, Config2Level::Description);
    let reply = QueryServiceConfig2Reply::of(&long, request.buffer_size);
    assert_eq!(reply.code, Code::INSUFFICIENT_BUFFER);
    let again = request.again(&reply).expect("ask again");
    assert_eq!(again.buffer_size, 4 + 2 * 2001);
    let reply = QueryServiceConfig2Reply::of(&long, again.buffer_size);
    assert_eq!(reply.config(Config2Level::Description), Ok(Some(long)));
    assert_eq!(again.again(&reply), None);
    // A server that wants no more than it had, or more than there is, is not asked again.
    for needed in [0, 1024, 8193, u32::MAX] {
        let lie = QueryServiceConfig2Reply {
            buffer: vec![],
            needed,
            code: Code::INSUFFICIENT_BUFFER,
        };
        assert_eq!(request.again(&lie), None);
    }
}

#[test]
fn triggers() {
    let reply = QueryServiceConfigExReply {
        triggers: Some(vec![
            Trigger {
                trigger_type: trigger_type::NETWORK_ENDPOINT,
                action: 1,
                subtype: Some([0xab; 16]),
                items: Some(vec![
                    TriggerItem {
                        data_type: 1,
                        data: Some(vec![7, 8, 9]),
                    },
                    TriggerItem {
                        data_type: 2,
                        data: None,
                    },
                ]),
            },
            Trigger {
                trigger_type: trigger_type::DOMAIN_JOIN,
                action: 2,
                subtype: None,
                items: None,
            },
        ]),
        code: Code::SUCCESS,
    };
    // Level, tag, pointer; count, pointer, reserved; the array of both triggers; then what the first one
    // points to: its GUID, its array of two items, the bytes of the first item padded to four; the code.
    let layout = "08000000 08000000 00000200  02000000 04000200 00000000
         02000000  06000000 01000000 08000200 02000000 0c000200  03000000 02000000 00000000 00000000 00000000
         abababab abababab abababab abababab
         02000000  01000000 03000000 10000200  02000000 00000000 00000000
         03000000 07080900
         00000000";
    assert_eq!(hex(&reply.encode()), hex(&bytes(layout)));
    assert_eq!(QueryServiceConfigExReply::decode(&bytes(layout)), Ok(reply));
}

#[test]
fn no_triggers_are_an_empty_list_and_a_refusal_is_none() {
    let none = "08000000 08000000 00000200 00000000 00000000 00000000 00000000";
    let decoded = QueryServiceConfigExReply::decode(&bytes(none)).expect("an answer");
    assert_eq!(decoded.triggers, Some(vec![]));
    assert_eq!(hex(&decoded.encode()), hex(&bytes(none)));
    let denied = "08000000 08000000 00000000 05000000";
    let decoded = QueryServiceConfigExReply::decode(&bytes(denied)).expect("an answer");
    assert_eq!(decoded.triggers, None);
    assert_eq!(decoded.code(), Code::ACCESS_DENIED);
}

#[test]
fn triggers_that_lie_are_refused() {
    let refused = |layout: &str| {
        let error = QueryServiceConfigExReply::decode(&bytes(layout));
        error.expect_err("it is refused").to_string()
    };
    assert_snapshot!(refused("09000000 08000000 00000200"), @"the level of the configuration has the impossible value 0x9");
    assert_snapshot!(refused("0a000000 0a000000 00000200"), @"the level of the configuration has the impossible value 0xa");
    assert_snapshot!(refused("01000000 01000000 00000200"), @"the level of the configuration has the impossible value 0x1");
    assert_snapshot!(refused("08000000 08000000 00000200 ffffffff 04000200 00000000 ffffffff"), @"the triggers is 4294967295, over the limit of 64");
    assert_snapshot!(refused("08000000 08000000 00000200 02000000 04000200 00000000 01000000"), @"the triggers has the impossible value 0x1");
    assert_snapshot!(refused("08000000 08000000 00000200 40000000 04000200 00000000 40000000"), @"the message ends inside the type of a trigger: 4 bytes needed, 0 left");
    assert_snapshot!(refused("08000000 08000000 00000200 01000000 04000200 00000000 01000000 01000000 01000000 00000000 41000000 00000200"), @"the conditions of a trigger is 65, over the limit of 64");
    assert_snapshot!(refused("08000000 08000000 00000200 01000000 04000200 00000000 01000000 01000000 01000000 00000000 01000000 00000200 01000000 01000000 01040000 00000200"), @"the conditions of a trigger is 1025, over the limit of 1024");
    let mismatch = bytes(
        "08000000 08000000 00000200 01000000 04000200 00000000 01000000 01000000 01000000 00000000 01000000 00000200 01000000 01000000 02000000 00000200 01000000 aa000000 00000000",
    );
    assert_eq!(
        QueryServiceConfigExReply::decode(&mismatch),
        Err(WireError::BadValue {
            what: "the conditions of a trigger",
            value: 1
        })
    );
}
