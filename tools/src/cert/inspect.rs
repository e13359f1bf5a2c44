//! Says what a certificate is, and in plain words what is wrong with it.

use std::{fs, io, net::ToSocketAddrs, path::Path, process::ExitCode};

use diesis_engine::certificate::{Chain, Fault, PrivateKey, Wildcards};
use jiff::Timestamp;

use crate::cli::cert::Check;

/// Prints what there is to say. The exit code is 1 when something is wrong.
pub(super) async fn run(check: &Check) -> ExitCode {
    let examined = match gather(check).await {
        Ok(examined) => examined,
        Err(error) => {
            eprintln!("diesis: {} can't be checked: {error}", check.target);
            return ExitCode::from(2);
        }
    };
    let (text, faults) = examined.report(Timestamp::now());
    print!("{text}");
    if faults.is_empty() {
        println!("{}: nothing wrong", check.target);
        return ExitCode::SUCCESS;
    }
    for fault in &faults {
        println!("wrong: {fault}");
    }
    ExitCode::FAILURE
}

/// Everything to be judged.
struct Examined {
    chain: Result<Chain, Fault>,
    name: Option<String>,
    authorities: Option<Chain>,
    key: Option<Result<PrivateKey, Fault>>,
}

async fn gather(check: &Check) -> io::Result<Examined> {
    let authorities = match &check.ca {
        Some(file) => Some(Chain::parse(&read(file)?).map_err(io::Error::other)?),
        None => None,
    };
    let key = match &check.key {
        Some(file) => Some(PrivateKey::parse(&read(file)?)),
        None => None,
    };
    let file = Path::new(&check.target);
    let server = check.target.rsplit_once(':').filter(|_| !file.exists());
    let Some((host, _)) = server else {
        let text = read(file)?;
        // As in Asterisk, a key may be in the same file.
        let own_key = || PrivateKey::parse(&text);
        let key = key.or_else(|| match own_key() {
            Err(Fault::NoKey) => None,
            other => Some(other),
        });
        let name = check.name.clone();
        return Ok(Examined { chain: Chain::parse(&text), name, authorities, key });
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut addresses = check.target.to_socket_addrs()?;
    let address = addresses.next().ok_or_else(|| io::Error::other("the host has no address"))?;
    let name = check.name.clone().unwrap_or_else(|| host.to_owned());
    let chain = diesis_engine::net::presented_chain(address, &name).await?;
    Ok(Examined { chain: Ok(chain), name: Some(name), authorities, key })
}

impl Examined {
    fn report(self, now: Timestamp) -> (String, Vec<Fault>) {
        let chain = match self.chain {
            Ok(chain) => chain,
            Err(fault) => return (String::new(), vec![fault]),
        };
        let mut text = String::new();
        let mut say = |what: &str, value: &str| text.push_str(&format!("{what:10} {value}\n"));
        let leaf = chain.leaf();
        let names: Vec<_> = leaf.names.iter().map(ToString::to_string).collect();
        say("subject", &leaf.subject);
        say("names", &names.join(", "));
        for certificate in chain.certificates() {
            say("signed by", &certificate.issuer);
        }
        let until = leaf.not_after;
        let days = (until.as_second() - now.as_second()).div_euclid(86_400);
        say("valid", &format!("{:.0} to {until:.0} ({days} days left)", leaf.not_before));

        let mut faults = chain.faults(now);
        if let Some(name) = &self.name {
            faults.extend(leaf.check_name(name, Wildcards::Refused).err());
        }
        match &self.authorities {
            Some(authorities) => match chain.is_trusted_by(authorities.certificates()) {
                Ok(()) => {
                    // Whoever trusts it by name trusts it though nobody signed it.
                    faults.retain(|fault| !matches!(fault, Fault::SelfSigned(_)));
                    say("trusted", "yes, by --ca");
                }
                Err(fault) => faults.push(fault),
            },
            None => say("trusted", "not checked; --ca FILE names the authorities"),
        }
        match self.key.map(|key| key.and_then(|key| chain.with_key(key))) {
            Some(Ok(_)) => say("key", "fits"),
            Some(Err(fault)) => faults.push(fault),
            None => {}
        }
        (text, faults)
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    fs::read(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
    };

    use super::*;

    fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    fn server(issuer: &CertifiedIssuer<'static, KeyPair>, years: (i32, i32)) -> Certificate {
        let mut params = CertificateParams::new(["sip.example.com".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "sip.example.com");
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        params.signed_by(&KeyPair::generate().unwrap(), issuer).unwrap()
    }

    fn words(pem: &str, name: &str, ca: Option<&str>, key: Option<&str>) -> String {
        let examined = Examined {
            chain: Chain::parse(pem.as_bytes()),
            name: Some(name.into()),
            authorities: ca.map(|ca| Chain::parse(ca.as_bytes()).unwrap()),
            key: key.map(|key| PrivateKey::parse(key.as_bytes())),
        };
        let (text, faults) = examined.report("2026-06-01T00:00:00Z".parse().unwrap());
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        format!("{text}{}", faults.join("\n"))
    }

    #[test]
    fn each_fault_has_its_words() {
        let (one, other) = (authority("one"), authority("other"));
        let good = server(&one, (2026, 2027)).pem();
        let said = words(&good, "sip.example.com", Some(&one.pem()), None);
        assert!(
            said.contains("subject    CN=sip.example.com\nnames      sip.example.com\n"),
            "{said}"
        );
        assert!(said.ends_with("(214 days left)\ntrusted    yes, by --ca\n"), "{said}");
        let has = |pem: &str, name: &str, ca: &str, expected: &str| {
            let said = words(pem, name, Some(ca), None);
            assert!(said.contains(expected), "{expected}:\n{said}");
        };
        let name = "sip.example.com";
        has(
            &good,
            "other.example.com",
            &one.pem(),
            "does not name other.example.com: it is for sip.",
        );
        has(&good, name, &other.pem(), "CN=one, which signed CN=sip.example.com, is not among");
        has(&server(&one, (2020, 2021)).pem(), name, &one.pem(), "expired on 2021-01-01");
        has(&server(&one, (2027, 2028)).pem(), name, &one.pem(), "is not valid before 2027-01-01");
        has(&format!("{good}{}", other.pem()), name, &other.pem(), "the chain is incomplete");
        let disordered = format!("{good}{}{}", other.pem(), one.pem());
        has(&disordered, name, &one.pem(), "the chain is in the wrong order");
        has(&one.pem(), "one", &other.pem(), "CN=one is self-signed");
        let key = KeyPair::generate().unwrap().serialize_pem();
        assert!(
            words(&good, name, None, Some(&key)).contains("the private key does not belong to")
        );
        assert!(words("", name, None, None).contains("there is no certificate in it"));
    }
}
