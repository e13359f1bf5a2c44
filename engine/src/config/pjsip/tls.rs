//! The settings of `protocol=tls`: read, and tried out on the files they name, so that a wrong
//! certificate is found before a phone finds it.

use std::path::{Path, PathBuf};

use bstr::ByteSlice;

use crate::config::setting::Setting;
use crate::config::settings::{ClientCertificate, TlsSettings, TlsVersions};
use crate::config::value;

/// What the file says about client certificates, before the settings are put together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Demands {
    pub(super) verify_client: bool,
    pub(super) require_client_cert: bool,
}

/// Takes one setting of TLS.
pub(super) fn take(
    name: &[u8],
    mut setting: Setting<'_>,
    tls: &mut TlsSettings,
    demands: &mut Demands,
) {
    let path = |setting: &Setting<'_>| Some(PathBuf::from(setting.value().to_path_lossy()));
    match name {
        b"cert_file" => tls.cert_file = path(&setting),
        b"priv_key_file" => tls.priv_key_file = path(&setting),
        b"ca_list_file" => tls.ca_list_file = path(&setting),
        b"ca_list_path" => tls.ca_list_path = path(&setting),
        b"verify_client" => setting.yes_no(&mut demands.verify_client),
        b"require_client_cert" => setting.yes_no(&mut demands.require_client_cert),
        b"verify_server" => setting.yes_no(&mut tls.verify_server),
        b"allow_wildcard_certs" => setting.yes_no(&mut tls.allow_wildcards),
        b"method" => match setting.value().to_ascii_lowercase().as_slice() {
            b"" | b"default" | b"unspecified" | b"sslv23" => tls.versions = TlsVersions::Any,
            b"tlsv1_2" => tls.versions = TlsVersions::Tls12,
            b"tlsv1_3" => tls.versions = TlsVersions::Tls13,
            _ => setting.invalid("`tlsv1_2`, `tlsv1_3` or `default`; older ones are broken"),
        },
        b"cipher" => {
            for cipher in value::list(setting.value()) {
                match SUITES.iter().find(|(openssl, iana)| {
                    cipher.eq_ignore_ascii_case(openssl.as_bytes())
                        || cipher.eq_ignore_ascii_case(iana.as_bytes())
                }) {
                    Some((_, iana)) => tls.ciphers.push((*iana).to_owned()),
                    None => {
                        let names: Vec<_> = SUITES.iter().map(|(openssl, _)| *openssl).collect();
                        return setting.invalid(&format!("some of {}", names.join(", ")));
                    }
                }
            }
        }
        // A file that needs one is refused when it is read.
        b"password" => setting.later(
            b"***".as_bstr(),
            "keys with a passphrase can not be read: `openssl pkey -in KEY -out KEY.plain` takes it off",
        ),
        _ => setting.judge(),
    }
}

impl Demands {
    /// What both settings together ask for, as in Asterisk.
    pub(super) fn client_certificate(self) -> ClientCertificate {
        match (self.require_client_cert, self.verify_client) {
            (true, _) => ClientCertificate::Required,
            (false, true) => ClientCertificate::Verified,
            (false, false) => ClientCertificate::NotAsked,
        }
    }
}

impl TlsSettings {
    /// Lets relative paths count from the configuration directory.
    pub(crate) fn count_from(&mut self, directory: &Path) {
        let paths = [
            &mut self.cert_file,
            &mut self.priv_key_file,
            &mut self.ca_list_file,
            &mut self.ca_list_path,
        ];
        for path in paths.into_iter().flatten() {
            *path = directory.join(&*path);
        }
    }
}

/// Tries the certificates of a transport out.
#[cfg(feature = "net")]
pub(super) fn check(
    section: &crate::config::setting::Block<'_>,
    tls: &TlsSettings,
    files: &dyn diesis_dialplan::conf::FileSource,
    now: Option<jiff::Timestamp>,
    notes: &mut crate::config::notes::Notes,
) {
    use crate::certificate::{Chain, Fault, PrivateKey};
    use crate::config::codes::{CERTIFICATE_DOUBTFUL, CERTIFICATE_WRONG};

    let wrong =
        |setting: &str, path: &Path, why: String, notes: &mut crate::config::notes::Notes| {
            let message = format!("{}: {why}", path.display());
            let help = "`diesis cert check FILE` says more, `diesis cert make` makes new ones";
            notes.error(CERTIFICATE_WRONG, section.place_of(setting), message, help);
        };
    let read = |path: &Path| {
        let name = path.to_str().ok_or_else(|| std::io::Error::other("its name is not UTF-8"))?;
        files.read(name)
    };
    for (setting, path) in [("ca_list_file", &tls.ca_list_file)]
        .into_iter()
        .filter_map(|(s, p)| Some((s, p.as_ref()?)))
    {
        match read(path).map_err(|error| error.to_string()) {
            Ok(text) => {
                if let Err(fault) = Chain::parse(&text) {
                    wrong(setting, path, fault.to_string(), notes);
                }
            }
            Err(error) => wrong(setting, path, error, notes),
        }
    }
    let Some(cert_file) = &tls.cert_file else {
        return notes.error(
            crate::config::codes::SETTING_MISSING,
            section.header,
            format!("transport [{}] has no `cert_file`", section.name()),
            "add the chain to present; `diesis cert make` makes one",
        );
    };
    let chain = match read(cert_file).map_err(|error| error.to_string()) {
        Ok(text) => Chain::parse(&text),
        Err(error) => return wrong("cert_file", cert_file, error, notes),
    };
    let chain = match chain {
        Ok(chain) => chain,
        Err(fault) => return wrong("cert_file", cert_file, fault.to_string(), notes),
    };
    let now = now.unwrap_or_else(|| chain.leaf().not_before);
    for fault in chain.faults(now) {
        match fault {
            Fault::SelfSigned(_) | Fault::AuthorityFirst(_) | Fault::Incomplete { .. } => notes
                .warn(
                    CERTIFICATE_DOUBTFUL,
                    section.place_of("cert_file"),
                    format!("{}: {fault}", cert_file.display()),
                    "phones that verify it may refuse to connect",
                ),
            fault => wrong("cert_file", cert_file, fault.to_string(), notes),
        }
    }
    let (setting, key_file) = match &tls.priv_key_file {
        Some(file) => ("priv_key_file", file),
        None => ("cert_file", cert_file),
    };
    match read(key_file).map_err(|error| error.to_string()) {
        Ok(text) => {
            let fits = PrivateKey::parse(&text).and_then(|key| chain.with_key(key));
            if let Err(fault) = fits {
                wrong(setting, key_file, fault.to_string(), notes);
            }
        }
        Err(error) => wrong(setting, key_file, error, notes),
    }
}

/// The suites that are safe, by the names of OpenSSL and of the registry.
const SUITES: [(&str, &str); 9] = [
    ("TLS_AES_256_GCM_SHA384", "TLS13_AES_256_GCM_SHA384"),
    ("TLS_AES_128_GCM_SHA256", "TLS13_AES_128_GCM_SHA256"),
    ("TLS_CHACHA20_POLY1305_SHA256", "TLS13_CHACHA20_POLY1305_SHA256"),
    ("ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
    ("ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
    ("ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
    ("ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
    ("ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
];
