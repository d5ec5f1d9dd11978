//! HTTPS, with the self-signed certificates that `scripts/make_certificate.sh` makes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use vestnik_serve::{Error, Pem, Tls};

use crate::client::{JSON, Reply, connect, request};
use crate::test_server::{TestServer, config, tagger_source};

fn pem(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls");
    std::fs::read(folder.join(name)).unwrap()
}

fn identity(certificates: &[u8], key: &[u8]) -> Result<Tls, Error> {
    let pem = Pem {
        certificates: certificates.to_vec(),
        key: key.to_vec(),
    };
    Tls::open(move || Ok(pem.clone()))
}

fn server() -> TestServer {
    let mut config = config();
    config.tls = Some(identity(&pem("cert.pem"), &pem("key.pem")).unwrap());
    config.read_timeout = Duration::from_millis(200);
    TestServer::with(config, vec![tagger_source()])
}

/// A connection of a client that knows a certificate.
fn client(address: SocketAddr, known: &str) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem(known)) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(connection, connect(address))
}

fn ask(address: SocketAddr, known: &str, request: &[u8]) -> std::io::Result<Reply> {
    let mut stream = client(address, known);
    stream.write_all(request)?;
    let mut bytes = Vec::new();
    // With an end that the server announces: one that somebody cut off would be an error.
    stream.read_to_end(&mut bytes)?;
    Ok(Reply::parse(&bytes))
}

fn tag(address: SocketAddr, known: &str) -> std::io::Result<Reply> {
    let body = json!({"text": "Иван"}).to_string();
    ask(
        address,
        known,
        &request("POST", "/v1/tag", JSON, body.as_bytes()),
    )
}

/// Waits until something holds.
#[track_caller]
fn wait_until(holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(30), "it did not come");
    }
}

#[test]
fn a_client_that_knows_the_certificate_is_answered() {
    let server = server();
    assert_eq!(
        tag(server.address, "cert.pem").unwrap().ok()["text"],
        "Иван"
    );
    assert!(tag(server.address, "other-cert.pem").is_err());
    assert_eq!(tag(server.address, "cert.pem").unwrap().status, 200);
}

#[test]
fn whoever_does_not_shake_hands_is_sent_away_in_time() {
    let server = server();
    // One says nothing, one begins to; one speaks plain HTTP and is told so in a record of TLS.
    let silent = connect(server.address);
    let mut half = connect(server.address);
    half.write_all(b"\x16\x03\x01\x02\x00\x01").unwrap();
    let mut plain = connect(server.address);
    plain
        .write_all(&request("GET", "/health", "", b""))
        .unwrap();
    for mut stream in [silent, half, plain] {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        assert!(!bytes.starts_with(b"HTTP"), "{bytes:?}");
    }
    assert_eq!(tag(server.address, "cert.pem").unwrap().status, 200);
}

#[test]
fn certificates_that_cannot_be_used_are_told_apart() {
    let (certificate, key, other) = (pem("cert.pem"), pem("key.pem"), pem("other-key.pem"));
    assert!(identity(&certificate, &key).is_ok());
    assert!(matches!(identity(&key, &key), Err(Error::NoCertificate)));
    assert!(matches!(identity(b"", &key), Err(Error::NoCertificate)));
    assert!(matches!(
        identity(&certificate, &certificate),
        Err(Error::NoKey)
    ));
    assert!(matches!(
        identity(&certificate, b"hello"),
        Err(Error::NoKey)
    ));
    assert!(matches!(
        identity(&certificate, &other),
        Err(Error::OtherKey)
    ));
    let cut = &certificate[..certificate.len() / 2];
    assert!(matches!(identity(cut, &key), Err(Error::Pem(_))));
    let empty = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(matches!(
        identity(empty, &key),
        Err(Error::Certificate { .. })
    ));
    let missing = Tls::open(|| Err("it is not there".into()));
    assert!(matches!(missing, Err(Error::Pem(_))));
}

#[test]
fn a_reload_reads_the_certificate_again() {
    // Each time it is read it is the next one, and at last none.
    let reads = AtomicUsize::new(0);
    let opened = Tls::open(move || {
        let (certificate, key) = match reads.fetch_add(1, Ordering::Relaxed) {
            0 => ("cert.pem", "key.pem"),
            1 => ("other-cert.pem", "other-key.pem"),
            _ => ("other-cert.pem", "key.pem"),
        };
        Ok(Pem {
            certificates: pem(certificate),
            key: pem(key),
        })
    });
    let mut config = config();
    config.tls = Some(opened.unwrap());
    let server = TestServer::with(config, vec![tagger_source()]);
    let address = server.address;
    assert!(tag(address, "cert.pem").is_ok());
    server.tell_to_reload();
    wait_until(|| tag(address, "other-cert.pem").is_ok());
    assert!(tag(address, "cert.pem").is_err());
    server.tell_to_reload();
    let metrics = request("GET", "/metrics", "", b"");
    let twice = "vestnik_reloads_total{result=\"done\"} 2";
    wait_until(|| {
        ask(address, "other-cert.pem", &metrics)
            .unwrap()
            .body
            .contains(twice)
    });
    assert!(tag(address, "other-cert.pem").is_ok());
}
