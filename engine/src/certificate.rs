//! Certificates: chains and keys from PEM, whom they name, and in plain words what is wrong with
//! them (RFC 5280, RFC 5922 §7).
//!
//! Bytes and the time come in as arguments: the configuration checks with it, `net` listens with
//! it, and `diesis cert` explains with it.

use std::{net::IpAddr, sync::Arc};

use jiff::Timestamp;
use rustls::{
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use x509_parser::{
    certificate::X509Certificate, extensions::GeneralName, prelude::FromDer, time::ASN1Time,
};

/// Certificates as a file or a peer gives them: the first is whom they are about.
#[derive(Debug, Clone)]
pub struct Chain {
    certificates: Vec<Certificate>,
}

/// One certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    der: CertificateDer<'static>,
    /// Whom it is about.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Whom it names.
    pub names: Vec<SubjectName>,
    /// When it begins to hold.
    pub not_before: Timestamp,
    /// When it ceases to hold.
    pub not_after: Timestamp,
    /// Whether it may sign others.
    pub is_authority: bool,
}

/// A name in a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectName {
    /// A host or domain name, perhaps with `*` for its first part.
    Dns(String),
    /// An IP address.
    Ip(IpAddr),
    /// A URI; `sip:example.com` names a SIP domain.
    Uri(String),
    /// The common name of the subject; it counts when there is no other (RFC 5922 §7.1).
    CommonName(String),
}

/// Whether `*` in a certificate stands for a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wildcards {
    /// It does not: SIP has none (RFC 5922 §7.2).
    #[default]
    Refused,
    /// It does, for one part of a name.
    Allowed,
}

/// What is wrong with a chain or a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The text holds no certificate.
    #[error("there is no certificate in it (a PEM file with BEGIN CERTIFICATE is needed)")]
    NoCertificate,
    /// Something in it is no certificate.
    #[error("its certificate {0} can not be read: the file is damaged")]
    Unreadable(usize),
    /// The text holds no key.
    #[error("there is no private key in it (a PEM file with BEGIN PRIVATE KEY is needed)")]
    NoKey,
    /// The key has a passphrase.
    #[error("the private key is protected by a passphrase, and nobody is there to type it")]
    EncryptedKey,
    /// The key is of a kind that is not supported, or damaged.
    #[error("the private key can not be used: {0}")]
    UnusableKey(String),
    /// The key belongs to another certificate.
    #[error("the private key does not belong to the certificate of {0}")]
    KeyMismatch(String),
    /// Too old.
    #[error("the certificate of {subject} expired on {at:.0}")]
    Expired {
        /// Whose.
        subject: String,
        /// When.
        at: Timestamp,
    },
    /// Too new.
    #[error("the certificate of {subject} is not valid before {at:.0}")]
    NotYetValid {
        /// Whose.
        subject: String,
        /// When it will be.
        at: Timestamp,
    },
    /// The certificates do not follow each other.
    #[error(
        "the chain is in the wrong order: after {subject} comes {next}, and not its issuer {issuer}"
    )]
    WrongOrder {
        /// After whose certificate it goes wrong.
        subject: String,
        /// Whose should follow.
        issuer: String,
        /// Whose does.
        next: String,
    },
    /// A certificate between two of them is missing.
    #[error(
        "the chain is incomplete: the certificate of {issuer}, which signed {subject}, is missing"
    )]
    Incomplete {
        /// Whose issuer is missing.
        subject: String,
        /// Who that is.
        issuer: String,
    },
    /// The signature is not the issuer's.
    #[error("the certificate of {subject} is not signed by the certificate of {issuer} beside it")]
    BadSignature {
        /// Whose.
        subject: String,
        /// Who should have signed.
        issuer: String,
    },
    /// Nobody vouches for it.
    #[error("the certificate of {0} is self-signed: phones trust it only when told so one by one")]
    SelfSigned(String),
    /// No trusted authority is at the end of the chain.
    #[error("{issuer}, which signed {subject}, is not among the trusted authorities")]
    Untrusted {
        /// The last certificate.
        subject: String,
        /// Who signed it.
        issuer: String,
    },
    /// It is about somebody else.
    #[error("the certificate does not name {wanted}: it is for {named}")]
    NameMismatch {
        /// Who was asked for.
        wanted: String,
        /// Whom it names.
        named: String,
    },
    /// An authority's certificate is used for a server.
    #[error("the first certificate, {0}, is an authority's; the server's own must come first")]
    AuthorityFirst(String),
}

impl Chain {
    /// Reads the certificates of a PEM text, in its order.
    pub fn parse(pem: &[u8]) -> Result<Self, Fault> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        match found {
            Ok(found) if !found.is_empty() => Self::from_der(found),
            Ok(_) => Err(Fault::NoCertificate),
            Err(_) => Err(Fault::Unreadable(1)),
        }
    }

    /// Takes certificates as a peer sent them.
    pub fn from_der(ders: Vec<CertificateDer<'static>>) -> Result<Self, Fault> {
        let read = |(index, der)| Certificate::parse(der).ok_or(Fault::Unreadable(index + 1));
        let certificates: Vec<_> =
            ders.into_iter().enumerate().map(read).collect::<Result<_, _>>()?;
        if certificates.is_empty() { Err(Fault::NoCertificate) } else { Ok(Self { certificates }) }
    }

    /// The certificates in their order; never none.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The certificate that the chain is about.
    pub fn leaf(&self) -> &Certificate {
        &self.certificates[0]
    }

    /// The certificates as TLS sends them.
    pub fn to_der(&self) -> Vec<CertificateDer<'static>> {
        self.certificates.iter().map(|certificate| certificate.der.clone()).collect()
    }

    /// What is wrong with the chain by itself at a time: dates, order, signatures. That it is
    /// self-signed is among it; that nobody trusts its end is not.
    pub fn faults(&self, now: Timestamp) -> Vec<Fault> {
        let mut faults: Vec<_> =
            self.certificates.iter().filter_map(|it| it.fault_at(now)).collect();
        let leaf = self.leaf();
        if leaf.is_self_signed() {
            faults.push(Fault::SelfSigned(leaf.subject.clone()));
        } else if leaf.is_authority {
            faults.push(Fault::AuthorityFirst(leaf.subject.clone()));
        }
        for pair in self.certificates.windows(2) {
            let [this, next] = pair else { continue };
            if this.issuer != next.subject {
                let (subject, issuer) = (this.subject.clone(), this.issuer.clone());
                let elsewhere = self.certificates.iter().any(|it| it.subject == this.issuer);
                faults.push(match elsewhere {
                    true => Fault::WrongOrder { subject, issuer, next: next.subject.clone() },
                    false => Fault::Incomplete { subject, issuer },
                });
                break;
            }
            if !this.is_signed_by(next) {
                let (subject, issuer) = (this.subject.clone(), next.subject.clone());
                faults.push(Fault::BadSignature { subject, issuer });
            }
        }
        faults
    }

    /// Whether one of these authorities vouches for the end of the chain.
    pub fn is_trusted_by(&self, authorities: &[Certificate]) -> Result<(), Fault> {
        let last = &self.certificates[self.certificates.len() - 1];
        let vouches = |authority: &Certificate| {
            authority.der == last.der
                || (authority.subject == last.issuer && last.is_signed_by(authority))
        };
        if authorities.iter().any(vouches) {
            return Ok(());
        }
        Err(Fault::Untrusted { subject: last.subject.clone(), issuer: last.issuer.clone() })
    }

    /// Puts the key to the chain.
    pub fn with_key(&self, key: PrivateKey) -> Result<Arc<CertifiedKey>, Fault> {
        let provider = ring::default_provider();
        let key = provider
            .key_provider
            .load_private_key(key.0)
            .map_err(|error| Fault::UnusableKey(error.to_string()))?;
        let certified = CertifiedKey::new(self.to_der(), key);
        match certified.keys_match() {
            Ok(()) => Ok(Arc::new(certified)),
            Err(_) => Err(Fault::KeyMismatch(self.leaf().subject.clone())),
        }
    }
}

impl Certificate {
    fn parse(der: CertificateDer<'static>) -> Option<Self> {
        let (rest, parsed) = X509Certificate::from_der(&der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let mut names = Vec::new();
        let alternatives = parsed.subject_alternative_name().ok()?;
        for name in alternatives.iter().flat_map(|it| &it.value.general_names) {
            match name {
                GeneralName::DNSName(name) => names.push(SubjectName::Dns((*name).to_owned())),
                GeneralName::URI(uri) => names.push(SubjectName::Uri((*uri).to_owned())),
                GeneralName::IPAddress(bytes) => names.extend(address(bytes).map(SubjectName::Ip)),
                _ => {}
            }
        }
        if names.is_empty() {
            let common = parsed.subject().iter_common_name().filter_map(|name| name.as_str().ok());
            names.extend(common.map(|name| SubjectName::CommonName(name.to_owned())));
        }
        let at = |time: ASN1Time| Timestamp::from_second(time.timestamp()).ok();
        let (subject, issuer) = (parsed.subject().to_string(), parsed.issuer().to_string());
        let (not_before, not_after) =
            (at(parsed.validity().not_before)?, at(parsed.validity().not_after)?);
        let is_authority = parsed.is_ca();
        Some(Self { der, subject, issuer, names, not_before, not_after, is_authority })
    }

    /// Whether it vouches for itself.
    pub fn is_self_signed(&self) -> bool {
        self.subject == self.issuer && self.is_signed_by(self)
    }

    /// Whether `issuer` signed it.
    pub fn is_signed_by(&self, issuer: &Self) -> bool {
        let own = X509Certificate::from_der(&self.der);
        let theirs = X509Certificate::from_der(&issuer.der);
        let (Ok((_, own)), Ok((_, theirs))) = (own, theirs) else { return false };
        own.verify_signature(Some(theirs.public_key())).is_ok()
    }

    /// Whether it names a SIP domain, a host or an address (RFC 5922 §7.1).
    pub fn is_for(&self, wanted: &str, wildcards: Wildcards) -> bool {
        let wanted = wanted.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        let address: Option<IpAddr> = wanted.parse().ok();
        let dns = |name: &str| name.trim_end_matches('.').eq_ignore_ascii_case(wanted);
        let wild = |name: &str| {
            let (Some(("*", domain)), Some((_, parent))) =
                (name.split_once('.'), wanted.split_once('.'))
            else {
                return false;
            };
            wildcards == Wildcards::Allowed && domain.eq_ignore_ascii_case(parent)
        };
        self.names.iter().any(|name| match name {
            SubjectName::Ip(ip) => address == Some(*ip),
            SubjectName::Dns(name) => address.is_none() && (dns(name) || wild(name)),
            SubjectName::Uri(uri) => {
                let domain = uri.split_once(':').filter(|(scheme, _)| {
                    scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips")
                });
                // One that names a user is for that user alone.
                domain.is_some_and(|(_, domain)| !domain.contains('@') && dns(domain))
            }
            SubjectName::CommonName(name) => dns(name) || wild(name),
        })
    }

    /// That it does not name somebody, as a fault.
    pub fn check_name(&self, wanted: &str, wildcards: Wildcards) -> Result<(), Fault> {
        if self.is_for(wanted, wildcards) {
            return Ok(());
        }
        let named: Vec<_> = self.names.iter().map(ToString::to_string).collect();
        let named = if named.is_empty() { "nobody".to_owned() } else { named.join(", ") };
        Err(Fault::NameMismatch { wanted: wanted.to_owned(), named })
    }

    fn fault_at(&self, now: Timestamp) -> Option<Fault> {
        let subject = || self.subject.clone();
        if now > self.not_after {
            Some(Fault::Expired { subject: subject(), at: self.not_after })
        } else if now < self.not_before {
            Some(Fault::NotYetValid { subject: subject(), at: self.not_before })
        } else {
            None
        }
    }
}

impl std::fmt::Display for SubjectName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dns(name) | Self::Uri(name) | Self::CommonName(name) => f.write_str(name),
            Self::Ip(ip) => ip.fmt(f),
        }
    }
}

/// A private key without a passphrase. Its `Debug` shows nothing of it.
#[derive(Debug)]
pub struct PrivateKey(PrivateKeyDer<'static>);

impl PrivateKey {
    /// Reads the first key of a PEM text.
    pub fn parse(pem: &[u8]) -> Result<Self, Fault> {
        let is_locked = [&b"BEGIN ENCRYPTED PRIVATE KEY"[..], b"Proc-Type: 4,ENCRYPTED"]
            .into_iter()
            .any(|mark| memchr::memmem::find(pem, mark).is_some());
        if is_locked {
            return Err(Fault::EncryptedKey);
        }
        PrivateKeyDer::from_pem_slice(pem).map(Self).map_err(|_| Fault::NoKey)
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        16 => Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        _ => None,
    }
}
