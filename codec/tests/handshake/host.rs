//! Host and port: in `Host`, in a target that is a whole URI, and in the request that a client writes.

use framewire::handshake::{
    BuildError, ClientHandshake, ClientKey, HandshakeError, HeaderSlots, HttpVersion, Request,
};

/// RFC 3986 §3.2.2 and §3.2.3, by the same rules in all three places.
#[test]
fn hosts_and_ports() {
    let sound = [
        "a",
        "a.b-c_d~e",
        "127.0.0.1",
        "!$&'()*+,;=",
        "%C3%a4.example",
        "a:",
        "a:0",
        "a:80",
        "a:00080",
        "a:65535",
        "[::]",
        "[::1]",
        "[::1]:",
        "[::1]:9001",
        "[2001:DB8::192.0.2.1]:443",
        "[1:2:3:4:5:6:7:8]",
        "[fe80::1%25eth0]:80",
        "[fe80::1%25a%2Db]",
        "[v1.x]",
        "[VF0.a:b:!]:80",
    ];
    let malformed = [
        "",
        ":",
        ":80",
        "a b",
        "a/b",
        "b@a",
        "b:c@a",
        "\u{e4}",
        "a\\b",
        "a:b",
        "a:80:80",
        "a::80",
        "a:+80",
        "a:-1",
        "a:8 0",
        "a:65536",
        "a:99999999",
        "a:0x50",
        "a:b:c]",
        "a]",
        "[a",
        "[",
        "]",
        "[]",
        "[]:80",
        "[a]",
        "[::1",
        "::1",
        "[::1]80",
        "[::1]a:80",
        "[[::1]]",
        "[::1]]",
        "[::1]:a",
        "[:::]",
        "[12345::]",
        "[1:2:3:4:5:6:7:8:9]",
        "[127.0.0.1]",
        "[::1%eth0]",
        "[::1%25]",
        "[::1%25a%]",
        "[::1%25a/b]",
        "[v.x]",
        "[v1]",
        "[v1.]",
        "[vg.x]",
        "[v1.%41]",
        "a[::1]",
        "%",
        "%a",
        "%zz",
        "a%zz:80",
        "a%:80",
        "a%4:80",
        "a%4g",
    ];
    for (hosts, expected) in [(&sound[..], true), (&malformed[..], false)] {
        for host in hosts {
            let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
            let mut slots = HeaderSlots::new();
            let request = Request::parse(head.as_bytes(), &mut slots).map(|request| request.host());
            assert_eq!(
                request,
                expected.then_some(Some(*host)).ok_or(HandshakeError::InvalidHost),
                "{host:?}"
            );

            let target = format!("http://{host}");
            let mut slots = HeaderSlots::new();
            let request = Request::from_parts("GET", &target, HttpVersion::Http10, [], &mut slots);
            // A slash ends the authority of a target.
            let expected_of_target = expected || *host == "a/b";
            assert_eq!(
                request.err(),
                (!expected_of_target).then_some(HandshakeError::InvalidTarget),
                "{host:?}"
            );

            let handshake = ClientHandshake::new(host, "/", ClientKey::new([0; 16])).to_vec();
            assert_eq!(handshake.err(), (!expected).then_some(BuildError::InvalidHost), "{host:?}");
        }
    }
}
