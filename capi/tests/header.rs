//! The headers say what the code does: constants, sizes and offsets, as a C compiler sees them. (`.ci/run capi` also compares
//! the prototypes.)

use core::mem::offset_of;
use framewire_capi::*;
use std::{
    env,
    fmt::Write,
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

macro_rules! layout {
    ($checks:ident, $($type:ident { $($field:ident)* })*) => {$(
        writeln!($checks, "CHECK(sizeof({}) == {});", stringify!($type), size_of::<$type>()).unwrap();
        $({
            let field = stringify!($field).trim_start_matches("r#");
            let at = offset_of!($type, $field);
            writeln!($checks, "CHECK(offsetof({}, {field}) == {at});", stringify!($type)).unwrap();
        })*
    )*};
}

macro_rules! constants {
    ($checks:ident, $($name:ident)*) => {
        $(writeln!($checks, "CHECK({} == {});", stringify!($name), $name).unwrap();)*
    };
}

#[test]
fn constants_and_layouts() {
    let mut checks = String::from(
        "#include <framewire.h>\n#include <framewire/handshake.h>\n#include <framewire/deflate.h>\n\
         #define CHECK(fact) _Static_assert(fact, #fact)\n",
    );
    for (number, name) in CODES {
        writeln!(checks, "CHECK({name} == {number});").unwrap();
    }
    constants!(checks, FW_VERSION FW_SERVER FW_CLIENT FW_TEXT FW_BINARY FW_RSV1 FW_RSV2 FW_RSV3);
    constants!(checks, FW_EVENT_NONE FW_EVENT_MESSAGE FW_EVENT_PART FW_EVENT_CLOSE FW_EVENT_PING FW_EVENT_PONG);
    constants!(checks, FW_STATE_OPEN FW_STATE_CLOSE_SENT FW_STATE_CLOSE_RECEIVED FW_STATE_CLOSED);
    constants!(checks, FW_HEADER_MAX FW_CONTROL_MAX FW_ACCEPT_SIZE FW_CONNECTION_SIZE FW_LIST_MAX);
    layout!(checks,
        fw_connection {}
        fw_config { max_frame max_message extension_bits reserved }
        fw_event { data len code r#type kind last rsv reserved }
        fw_header { payload_len key opcode fin rsv masked }
        fw_utf8 { state }
        fw_str { data len }
        fw_field { name value }
        fw_deflate {
            server_no_context_takeover client_no_context_takeover server_max_window_bits client_max_window_bits
        }
        fw_request { head method target path query host origin upgrade }
        fw_answer { subprotocol deflate headers header_count }
        fw_opening {
            host target origin subprotocols subprotocol_count offers offer_count headers header_count nonce
        }
        fw_opened { subprotocol status has_deflate deflate }
        fw_inflate_config { max_message messages windows part }
        fw_deflate_config { min_len compressors windows level }
    );
    // What programs that are compiled already rely on. A change of a line breaks them; a new line does not.
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("abi.txt");
    if cfg!(target_pointer_width = "64") {
        if env::var_os("WRITE_ABI").is_some() {
            fs::write(&kept, &checks).unwrap();
        }
        assert_eq!(
            checks,
            fs::read_to_string(&kept).unwrap(),
            "the ABI has changed: if that is meant, set WRITE_ABI"
        );
    }
    let mut cc = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-x", "c", "-"])
        .args(["-I", concat!(env!("CARGO_MANIFEST_DIR"), "/include")])
        .stdin(Stdio::piped())
        .spawn()
        .expect("there is a C compiler");
    cc.stdin.take().unwrap().write_all(checks.as_bytes()).unwrap();
    assert!(cc.wait().unwrap().success(), "the header and the code differ:\n{checks}");
}

#[test]
fn the_version_is_that_of_the_package() {
    let [major, minor, patch] =
        env!("CARGO_PKG_VERSION").split('.').map(|n| n.parse().unwrap()).collect::<Vec<u32>>()[..]
    else {
        panic!("three numbers")
    };
    assert_eq!((fw_version(), FW_VERSION), ((major << 16) | (minor << 8) | patch, fw_version()));
}
