//! TLS and the domain name system between two engines, over real sockets on loopback.

use std::{
    error::Error,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use diesis_engine::{Engine, OutgoingCall, config::Configuration, sip::Transport};
use diesis_tests::scratch::Scratch;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use tokio::{net::UdpSocket, time::timeout};

type Outcome = Result<(), Box<dyn Error>>;

/// An authority whose certificates a test trusts.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Test Authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Ok(Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)? })
    }

    /// Writes `ca.pem`, `chain.pem` and `key.pem` for a server of this name.
    fn write(&self, directory: &Path, name: &str) -> Outcome {
        let mut params = CertificateParams::new([name.to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        fs::write(directory.join("ca.pem"), self.issuer.pem())?;
        fs::write(directory.join("chain.pem"), certificate.pem())?;
        fs::write(directory.join("key.pem"), key.serialize_pem())?;
        Ok(())
    }
}

/// A directory with a TLS transport and these settings of it, and its authority's files.
fn etc(authority: &Authority, name: &str, settings: &str) -> Result<Scratch, Box<dyn Error>> {
    let etc = Scratch::new("tls");
    authority.write(etc.path(), name)?;
    let pjsip = format!(
        "[tls]\ntype=transport\nprotocol=tls\nbind=127.0.0.1:0\ncert_file=chain.pem\n\
         priv_key_file=key.pem\nca_list_file=ca.pem\n{settings}\n\
         [tcp]\ntype=transport\nprotocol=tcp\nbind=127.0.0.1:0\n\
         [udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:0\n"
    );
    etc.write("pjsip.conf", &pjsip);
    etc.write("extensions.conf", "[default]\nexten => 100,1,Answer()\nsame => n,Wait(60)\n");
    Ok(etc)
}

/// The house's engine: calls of loopback enter the dialplan.
async fn house(etc: &Scratch) -> Result<Engine, Box<dyn Error>> {
    let loaded = Configuration::load_directory(etc.path());
    assert!(
        !loaded.is_refused(),
        "{:?}",
        loaded.findings().map(|f| f.to_string()).collect::<Vec<_>>()
    );
    let builder = Engine::builder().configuration(loaded.configuration).shards(1);
    let builder = builder.accept_calls_from("127.0.0.0/8".parse()?).rtp_ports(23_000..=23_999);
    Ok(builder.start().await?)
}

async fn caller(etc: &Scratch, dns: Option<SocketAddr>) -> Result<Engine, Box<dyn Error>> {
    let loaded = Configuration::load_directory(etc.path());
    assert!(!loaded.is_refused());
    let mut builder = Engine::builder().configuration(loaded.configuration).shards(1);
    builder = builder.rtp_ports(24_000..=24_999);
    if let Some(dns) = dns {
        builder = builder.name_server(dns);
    }
    Ok(builder.start().await?)
}

fn address(engine: &Engine, transport: Transport) -> SocketAddr {
    let found = engine.sip_addresses().iter().find(|(own, _)| *own == transport);
    found.expect("the engine listens so").1
}

#[tokio::test]
async fn a_call_over_tls_to_a_verified_server_is_answered() -> Outcome {
    let authority = Authority::new()?;
    let house_etc = etc(&authority, "127.0.0.1", "")?;
    let caller_etc = etc(&authority, "127.0.0.1", "verify_server=yes")?;
    let (house, caller) = (house(&house_etc).await?, caller(&caller_etc, None).await?);
    let at = address(&house, Transport::Tls);
    for target in [format!("sips:100@{at}"), format!("sip:100@{at};transport=tls")] {
        let call = caller.call(OutgoingCall::to(&target)).await?;
        timeout(Duration::from_secs(10), call.answered()).await??;
        call.hangup().await?;
        call.ended().await?;
    }
    caller.stop().await;
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_server_with_another_name_or_authority_is_refused_unless_nobody_verifies() -> Outcome {
    let (authority, stranger) = (Authority::new()?, Authority::new()?);
    let house_etc = etc(&authority, "elsewhere.test", "")?;
    let house = house(&house_etc).await?;
    let target = format!("sips:100@{}", address(&house, Transport::Tls));
    let verifying = caller(&etc(&authority, "127.0.0.1", "verify_server=yes")?, None).await?;
    let call = verifying.call(OutgoingCall::to(&target)).await?;
    assert!(timeout(Duration::from_secs(10), call.answered()).await?.is_err());
    verifying.stop().await;
    let trusting = caller(&etc(&stranger, "127.0.0.1", "")?, None).await?;
    let call = trusting.call(OutgoingCall::to(&target)).await?;
    timeout(Duration::from_secs(10), call.answered()).await??;
    trusting.stop().await;
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_server_that_wants_certificates_refuses_those_without_a_trusted_one() -> Outcome {
    let (authority, stranger) = (Authority::new()?, Authority::new()?);
    let house_etc = etc(&authority, "127.0.0.1", "require_client_cert=yes\nverify_client=yes")?;
    let house = house(&house_etc).await?;
    let target = format!("sips:100@{}", address(&house, Transport::Tls));
    for (authority, expected) in [(&authority, true), (&stranger, false)] {
        let caller = caller(&etc(authority, "127.0.0.1", "")?, None).await?;
        let call = caller.call(OutgoingCall::to(&target)).await?;
        let answered = timeout(Duration::from_secs(10), call.answered()).await?;
        assert_eq!(answered.is_ok(), expected);
        caller.stop().await;
    }
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn certificates_are_renewed_while_calls_go_on_and_bad_ones_leave_the_old_in_force() -> Outcome
{
    let authority = Authority::new()?;
    let house_etc = etc(&authority, "127.0.0.1", "")?;
    let house = house(&house_etc).await?;
    let target = format!("sips:100@{}", address(&house, Transport::Tls));
    let caller_etc = etc(&authority, "127.0.0.1", "verify_server=yes")?;
    let running_caller = caller(&caller_etc, None).await?;
    let running = running_caller.call(OutgoingCall::to(&target)).await?;
    timeout(Duration::from_secs(10), running.answered()).await??;

    fs::write(house_etc.path().join("chain.pem"), "damaged")?;
    let faults = house.reload_certificates().await;
    assert_eq!(faults.len(), 1);
    assert!(
        faults[0].to_string().contains("chain.pem: there is no certificate in it"),
        "{}",
        faults[0]
    );
    let second = caller(&caller_etc, None).await?;
    let call = second.call(OutgoingCall::to(&target)).await?;
    timeout(Duration::from_secs(10), call.answered()).await??;
    second.stop().await;

    // The new one is for somebody else: whoever connects from now on sees that.
    authority.write(house_etc.path(), "elsewhere.test")?;
    assert!(house.reload_certificates().await.is_empty());
    let third = caller(&caller_etc, None).await?;
    let call = third.call(OutgoingCall::to(&target)).await?;
    assert!(timeout(Duration::from_secs(10), call.answered()).await?.is_err());
    third.stop().await;
    running.hangup().await?;
    running.ended().await?;
    running_caller.stop().await;
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn names_are_found_by_naptr_and_srv_and_dead_targets_are_passed_over() -> Outcome {
    let authority = Authority::new()?;
    let house_etc = etc(&authority, "house.test", "")?;
    let house = house(&house_etc).await?;
    let (tls, tcp) = (address(&house, Transport::Tls), address(&house, Transport::Tcp));
    let dead = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let dns = NameServer::start(vec![
        ("house.test", NAPTR, naptr(10, "SIPS+D2T", "_sips._tcp.house.test")),
        ("_sips._tcp.house.test", SRV, srv(1, dead, "a.house.test")),
        ("_sips._tcp.house.test", SRV, srv(2, tls.port(), "a.house.test")),
        ("_sip._tcp.plain.test", SRV, srv(1, tcp.port(), "a.house.test")),
        ("a.house.test", A, vec![127, 0, 0, 1]),
    ])
    .await?;
    let caller_etc = etc(&authority, "127.0.0.1", "verify_server=yes")?;
    let caller = caller(&caller_etc, Some(dns.address)).await?;
    for target in ["sip:100@house.test", "sip:100@plain.test"] {
        let call = caller.call(OutgoingCall::to(target)).await?;
        timeout(Duration::from_secs(10), call.answered()).await??;
        call.hangup().await?;
        call.ended().await?;
    }
    let unknown = caller.call(OutgoingCall::to("sip:100@nowhere.test")).await.unwrap_err();
    assert_eq!(unknown.to_string(), "nowhere.test has no address in the domain name system");
    let asked = dns.asked.lock().expect("no test panics with it").clone();
    assert_eq!(asked.iter().filter(|name| *name == "a.house.test").count(), 1, "{asked:?}");
    caller.stop().await;
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn dead_name_servers_end_a_call_with_a_clear_cause_in_bounded_time() -> Outcome {
    let authority = Authority::new()?;
    // It takes questions and answers nothing.
    let dead = UdpSocket::bind("127.0.0.1:0").await?;
    let caller_etc = etc(&authority, "127.0.0.1", "")?;
    let caller = caller(&caller_etc, Some(dead.local_addr()?)).await?;
    let begun = Instant::now();
    let error = caller.call(OutgoingCall::to("sip:100@house.test")).await.unwrap_err();
    assert_eq!(error.to_string(), "no name server answers for house.test");
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    caller.stop().await;
    Ok(())
}

#[test]
fn certificates_that_can_not_work_are_refused_when_the_directory_is_read() -> Outcome {
    let authority = Authority::new()?;
    let said = |etc: &Scratch| -> String {
        let loaded = Configuration::load_directory(etc.path());
        loaded.findings().map(|finding| finding.to_string()).collect()
    };
    let good = etc(&authority, "127.0.0.1", "")?;
    assert_eq!(said(&good), "");
    fs::write(good.path().join("key.pem"), KeyPair::generate()?.serialize_pem())?;
    let text = said(&good);
    assert!(text.contains("pjsip.conf:6:15: error[C016]"), "{text}");
    assert!(
        text.contains("the private key does not belong to the certificate of CN=127.0.0.1"),
        "{text}"
    );
    fs::write(good.path().join("key.pem"), "-----BEGIN ENCRYPTED PRIVATE KEY-----\n")?;
    assert!(said(&good).contains("protected by a passphrase"));
    fs::remove_file(good.path().join("chain.pem"))?;
    let text = said(&good);
    assert!(text.contains("pjsip.conf:5:11: error[C016]: chain.pem: "), "{text}");
    let old = etc(&authority, "127.0.0.1", "method=tlsv1\ncipher=RC4-MD5")?;
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()])?;
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    params.not_before = rcgen::date_time_ymd(2019, 1, 1);
    let key = KeyPair::generate()?;
    fs::write(old.path().join("chain.pem"), params.signed_by(&key, &authority.issuer)?.pem())?;
    fs::write(old.path().join("key.pem"), key.serialize_pem())?;
    let text = said(&old);
    assert!(text.contains("expired on 2020-01-01"), "{text}");
    assert!(text.contains("`tlsv1` is no value for `method`"), "{text}");
    assert!(text.contains("`RC4-MD5` is no value for `cipher`"), "{text}");
    Ok(())
}

/// One record: its name, its type and its data as on the wire.
type Row = (&'static str, u16, Vec<u8>);

const A: u16 = 1;
const SRV: u16 = 33;
const NAPTR: u16 = 35;

/// A name server with a few records; every other name does not exist.
struct NameServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl NameServer {
    async fn start(rows: Vec<Row>) -> std::io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = socket.local_addr()?;
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut buffer = [0; 1500];
            while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
                let Some((name, kind, end)) = question(&buffer[..length]) else { continue };
                let rows: Vec<&Row> =
                    rows.iter().filter(|row| row.0 == name && row.1 == kind).collect();
                if kind == A {
                    log.lock().expect("no test panics with it").push(name.clone());
                }
                let mut answer = buffer[..2].to_vec();
                let code = if rows.is_empty() { 3 } else { 0 };
                answer.extend([0x85, 0x80 | code, 0, 1, 0, rows.len() as u8, 0, 0, 0, 0]);
                answer.extend(&buffer[12..end]);
                for (name, kind, data) in rows {
                    answer.extend(wire_name(name));
                    answer.extend(kind.to_be_bytes());
                    answer.extend([0, 1, 0, 0, 0, 60]);
                    answer.extend((data.len() as u16).to_be_bytes());
                    answer.extend(data);
                }
                let _ = socket.send_to(&answer, peer).await;
            }
        });
        Ok(Self { address, asked })
    }
}

/// The name and type asked for, and where the question ends.
fn question(packet: &[u8]) -> Option<(String, u16, usize)> {
    let (mut name, mut at) = (Vec::new(), 12);
    loop {
        let length = usize::from(*packet.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        name.push(String::from_utf8_lossy(packet.get(at..at + length)?).to_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]);
    Some((name.join("."), kind, at + 4))
}

fn wire_name(name: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in name.split('.') {
        wire.push(label.len() as u8);
        wire.extend(label.as_bytes());
    }
    wire.push(0);
    wire
}

fn srv(priority: u16, port: u16, host: &str) -> Vec<u8> {
    let mut data = Vec::new();
    for number in [priority, 0, port] {
        data.extend(number.to_be_bytes());
    }
    data.extend(wire_name(host));
    data
}

fn naptr(order: u16, service: &str, replacement: &str) -> Vec<u8> {
    let mut data = Vec::new();
    data.extend(order.to_be_bytes());
    data.extend(10_u16.to_be_bytes());
    for text in ["s", service, ""] {
        data.push(text.len() as u8);
        data.extend(text.as_bytes());
    }
    data.extend(wire_name(replacement));
    data
}
