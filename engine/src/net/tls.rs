//! TLS below SIP: what a transport's settings make of rustls, and their renewal while it runs.
//!
//! New certificates count for new connections; those that stand go on as they are, so that no call
//! notices. When the new ones are unusable the old stay in force.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
    ServerConfig, SignatureScheme, SupportedProtocolVersion,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    client::verify_server_cert_signed_by_trust_anchor,
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::{ParsedCertificate, WebPkiClientVerifier},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};

use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use crate::{
    certificate::{Chain, Fault, PrivateKey, Wildcards},
    config::{ClientCertificate, TlsSettings, TlsVersions, TransportSettings},
};

/// Why a transport's TLS can not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsSetupError {
    /// A file can not be read.
    #[error("{path} can not be read: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file holds what is of no use.
    #[error("{path}: {fault}", path = path.display())]
    Certificate {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        fault: Fault,
    },
    /// A setting that TLS can not do without.
    #[error("transport [{transport}] has no `{setting}`")]
    Missing {
        /// The section.
        transport: String,
        /// What it lacks.
        setting: &'static str,
    },
    /// The library refuses.
    #[error("{0}")]
    Refused(String),
}

/// One `protocol=tls` transport in operation.
#[derive(Debug)]
pub(crate) struct TlsPort {
    name: String,
    settings: TlsSettings,
    pub(crate) address: SocketAddr,
    in_force: ArcSwap<InForce>,
}

/// What a server presents over TLS when it is asked for `name`, trusted or not.
///
/// # Errors
/// When nothing listens there, or does not speak TLS within ten seconds.
pub async fn presented_chain(address: SocketAddr, name: &str) -> io::Result<Chain> {
    let provider = Arc::new(ring::default_provider());
    let verifier = DomainVerifier {
        roots: None,
        wildcards: Wildcards::Refused,
        provider: Arc::clone(&provider),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let shaken = async {
        let stream = TcpStream::connect(address).await?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    };
    let stream = timeout(PATIENCE, shaken).await.map_err(|_| io::ErrorKind::TimedOut)??;
    let (_, connection) = stream.get_ref();
    let shown = connection.peer_certificates().unwrap_or_default();
    Chain::from_der(shown.iter().map(|der| der.clone().into_owned()).collect())
        .map_err(io::Error::other)
}

/// Both sides of what a transport presents and trusts.
#[derive(Debug)]
struct InForce {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl TlsPort {
    /// Reads the certificates of a transport.
    pub(crate) fn new(transport: &TransportSettings) -> Result<Self, TlsSetupError> {
        let name = transport.name.to_string();
        let in_force = ArcSwap::from_pointee(InForce::read(&name, &transport.tls)?);
        let settings = transport.tls.clone();
        Ok(Self { name, settings, address: transport.bind, in_force })
    }

    /// Learns the port that was chosen for port 0.
    pub(crate) fn bound_to(self, address: SocketAddr) -> Self {
        Self { address, ..self }
    }

    /// Reads the certificates again. On an error the old ones stay in force.
    pub(crate) fn reload(&self) -> Result<(), TlsSetupError> {
        self.in_force.store(Arc::new(InForce::read(&self.name, &self.settings)?));
        tracing::info!(transport = self.name, "certificates read again");
        Ok(())
    }

    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.in_force.load().server)
    }

    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.in_force.load().client)
    }
}

impl InForce {
    fn read(transport: &str, settings: &TlsSettings) -> Result<Self, TlsSetupError> {
        let missing = |setting| TlsSetupError::Missing { transport: transport.into(), setting };
        let chain_path = settings.cert_file.as_deref().ok_or_else(|| missing("cert_file"))?;
        // As in Asterisk, the key may be in the certificate's file.
        let key_path = settings.priv_key_file.as_deref().unwrap_or(chain_path);
        let wrong = |path: &Path| {
            let path = path.to_owned();
            move |fault| TlsSetupError::Certificate { path, fault }
        };
        let chain = Chain::parse(&read(chain_path)?).map_err(wrong(chain_path))?;
        let key = PrivateKey::parse(&read(key_path)?).map_err(wrong(key_path))?;
        let now = super::clock::now().wall;
        for fault in chain.faults(now) {
            match fault {
                // An old chain in force is worse than none: no phone would connect any more.
                Fault::SelfSigned(_) | Fault::AuthorityFirst(_) | Fault::Incomplete { .. } => {
                    tracing::warn!(transport, file = %chain_path.display(), %fault, "certificate");
                }
                fault => return Err(wrong(chain_path)(fault)),
            }
        }
        let certified = chain.with_key(key).map_err(wrong(key_path))?;
        let roots = Arc::new(authorities(settings)?);
        let provider = Arc::new(provider(settings));
        Ok(Self {
            server: Arc::new(server(settings, &certified, &roots, &provider)?),
            client: Arc::new(client(settings, &certified, roots, provider)?),
        })
    }
}

fn server(
    settings: &TlsSettings,
    certified: &Arc<CertifiedKey>,
    roots: &Arc<RootCertStore>,
    provider: &Arc<CryptoProvider>,
) -> Result<ServerConfig, TlsSetupError> {
    let refused = |error: TlsError| TlsSetupError::Refused(error.to_string());
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(versions(settings))
        .map_err(refused)?;
    let verifier = || {
        let builder =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider));
        let builder = match settings.client_certificate {
            ClientCertificate::Required => builder,
            _ => builder.allow_unauthenticated(),
        };
        builder.build().map_err(|error| TlsSetupError::Refused(error.to_string()))
    };
    let builder = match settings.client_certificate {
        ClientCertificate::NotAsked => builder.with_no_client_auth(),
        ClientCertificate::Verified | ClientCertificate::Required => {
            builder.with_client_cert_verifier(verifier()?)
        }
    };
    let resolver = Arc::new(rustls::sign::SingleCertAndKey::from(Arc::clone(certified)));
    Ok(builder.with_cert_resolver(resolver))
}

fn client(
    settings: &TlsSettings,
    certified: &Arc<CertifiedKey>,
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
) -> Result<ClientConfig, TlsSetupError> {
    let verifier = Arc::new(DomainVerifier {
        roots: settings.verify_server.then_some(roots),
        wildcards: if settings.allow_wildcards { Wildcards::Allowed } else { Wildcards::Refused },
        provider: Arc::clone(&provider),
    });
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions(settings))
        .map_err(|error| TlsSetupError::Refused(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let resolver = Arc::new(rustls::sign::SingleCertAndKey::from(Arc::clone(certified)));
    Ok(builder.with_client_cert_resolver(resolver))
}

/// What is presented to and wanted of a server of the web: a trusted chain for its host's name.
pub(super) fn web_client(
    authority: Option<&Path>,
    own: Option<&(PathBuf, PathBuf)>,
) -> Result<Arc<ClientConfig>, TlsSetupError> {
    let settings =
        TlsSettings { ca_list_file: authority.map(Path::to_owned), ..TlsSettings::default() };
    let refused = |error: TlsError| TlsSetupError::Refused(error.to_string());
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .with_root_certificates(authorities(&settings)?);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let wrong = |path: &Path| {
                let path = path.to_owned();
                move |fault| TlsSetupError::Certificate { path, fault }
            };
            let chain = Chain::parse(&read(certificate)?).map_err(wrong(certificate))?;
            let key_read = PrivateKey::parse(&read(key)?).map_err(wrong(key))?;
            let certified = chain.with_key(key_read).map_err(wrong(certificate))?;
            let resolver = rustls::sign::SingleCertAndKey::from(certified);
            builder.with_client_cert_resolver(Arc::new(resolver))
        }
    };
    Ok(Arc::new(config))
}

fn versions(settings: &TlsSettings) -> &'static [&'static SupportedProtocolVersion] {
    static ANY: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
    match settings.versions {
        TlsVersions::Any => &ANY,
        TlsVersions::Tls12 => &ANY[1..],
        TlsVersions::Tls13 => &ANY[..1],
    }
}

fn provider(settings: &TlsSettings) -> CryptoProvider {
    let mut provider = ring::default_provider();
    if !settings.ciphers.is_empty() {
        let wanted = |suite: &rustls::SupportedCipherSuite| {
            let name = format!("{:?}", suite.suite());
            settings.ciphers.iter().position(|cipher| *cipher == name)
        };
        provider.cipher_suites.retain(|suite| wanted(suite).is_some());
        provider.cipher_suites.sort_by_key(|suite| wanted(suite));
    }
    provider
}

/// Whom we trust: the setting's files, else the system's authorities.
fn authorities(settings: &TlsSettings) -> Result<RootCertStore, TlsSetupError> {
    let mut roots = RootCertStore::empty();
    let mut add = |path: &Path| -> Result<(), TlsSetupError> {
        let fault = |fault| TlsSetupError::Certificate { path: path.to_owned(), fault };
        let chain = Chain::parse(&read(path)?).map_err(fault)?;
        roots.add_parsable_certificates(chain.to_der());
        Ok(())
    };
    if let Some(file) = &settings.ca_list_file {
        add(file)?;
    }
    if let Some(directory) = &settings.ca_list_path {
        let failed = |source| TlsSetupError::File { path: directory.clone(), source };
        let mut files: Vec<_> = fs::read_dir(directory)
            .map_err(failed)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.is_file())
            .collect();
        files.sort_unstable();
        for file in files {
            if let Err(error) = add(&file) {
                tracing::warn!(%error, "left out of ca_list_path");
            }
        }
    }
    let own = settings.ca_list_file.is_some() || settings.ca_list_path.is_some();
    if !own && let Some(system) = SYSTEM_AUTHORITIES.iter().map(Path::new).find(|it| it.exists()) {
        add(system)?;
    }
    Ok(roots)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsSetupError> {
    let failed = |source| TlsSetupError::File { path: path.to_owned(), source };
    let length = fs::metadata(path).map_err(failed)?.len();
    if length > LARGEST_FILE {
        return Err(failed(io::ErrorKind::FileTooLarge.into()));
    }
    fs::read(path).map_err(failed)
}

/// Verifies servers as RFC 5922 §7 wants it: a trusted chain, and the SIP domain that was asked for
/// in it, which other than on the web may be named by a `sip:` URI and not by a wildcard.
#[derive(Debug)]
struct DomainVerifier {
    /// `None` trusts everybody, as `verify_server=no` says: the connection is only private.
    roots: Option<Arc<RootCertStore>>,
    wildcards: Wildcards,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for DomainVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let Some(roots) = &self.roots else { return Ok(ServerCertVerified::assertion()) };
        let parsed = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, roots, intermediates, now, algorithms)?;
        let chain = Chain::from_der(vec![end_entity.clone().into_owned()])
            .map_err(|_| CertificateError::BadEncoding)?;
        match chain.leaf().check_name(&server_name.to_str(), self.wildcards) {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(fault) => {
                tracing::warn!(%fault, "TLS");
                Err(CertificateError::NotValidForName.into())
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Where Debian, Red Hat and Alpine keep the authorities that the system trusts.
const SYSTEM_AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
/// Asking a server for its certificate.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest list of authorities is a quarter of a megabyte.
const LARGEST_FILE: u64 = 16 * 1024 * 1024;
