//! Makes certificates: an authority with an intermediate once, then servers signed by the latter.
//!
//! The root's key is needed for nothing but a new intermediate, and can be put away.

use std::{
    error::Error,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::cli::cert::Make;

/// Makes what is asked for and says which files to use where.
pub(super) fn run(make: &Make) -> ExitCode {
    match certificates(make, Timestamp::now().to_zoned(TimeZone::UTC).date()) {
        Ok(files) => {
            let Files { root, chain, key } = files;
            println!("For the phones, the authority to trust:  {}", root.display());
            println!(
                "For pjsip.conf:\n  cert_file={}\n  priv_key_file={}",
                chain.display(),
                key.display()
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("diesis: no certificate for {}: {error}", make.name);
            ExitCode::FAILURE
        }
    }
}

/// What was made, or was there.
#[derive(Debug)]
struct Files {
    root: PathBuf,
    chain: PathBuf,
    key: PathBuf,
}

fn certificates(make: &Make, today: Date) -> Result<Files, Box<dyn Error>> {
    for name in [&make.name, &make.ca] {
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
            return Err(format!("{name:?} is no name for a file").into());
        }
    }
    fs::create_dir_all(&make.directory)
        .map_err(|error| format!("cannot make {}: {error}", make.directory.display()))?;
    let at = |name: String| make.directory.join(name);
    let root = at(format!("{}-root.pem", make.ca));
    let chain = at(format!("{}.pem", make.name));
    let key = at(format!("{}.key", make.name));
    for file in [&chain, &key] {
        if !make.force && file.exists() {
            return Err(format!("{} is there; --force overwrites it", file.display()).into());
        }
    }
    let mut params = CertificateParams::new(
        [&make.name].into_iter().chain(&make.aliases).cloned().collect::<Vec<_>>(),
    )?;
    params.distinguished_name.push(DnType::CommonName, make.name.as_str());
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // Asked for its own certificate when it calls another server, too.
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    hold(&mut params, today, make.days.into());

    let intermediate_file = at(format!("{}-intermediate.pem", make.ca));
    let intermediate_key_file = at(format!("{}-intermediate.key", make.ca));
    if !intermediate_file.exists() && !intermediate_key_file.exists() && !root.exists() {
        make_authority(make, today)?;
    }
    let authority = fs::read_to_string(&intermediate_file)
        .map_err(|error| named(&intermediate_file, &error))?;
    let authority_key = fs::read_to_string(&intermediate_key_file)
        .map_err(|error| named(&intermediate_key_file, &error))?;
    let issuer = Issuer::from_ca_cert_pem(&authority, KeyPair::from_pem(&authority_key)?)?;
    let own_key = KeyPair::generate()?;
    let own = params.signed_by(&own_key, &issuer)?;
    write(&key, &own_key.serialize_pem(), SECRET, make.force)?;
    write(&chain, &format!("{}{authority}", own.pem()), PUBLIC, make.force)?;
    Ok(Files { root, chain, key })
}

fn make_authority(make: &Make, today: Date) -> Result<(), Box<dyn Error>> {
    let params = |what: &str, level| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, format!("{} {what}", make.ca));
        params.is_ca = IsCa::Ca(level);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        hold(&mut params, today, AUTHORITY_DAYS);
        params
    };
    let root_params = params("root", BasicConstraints::Unconstrained);
    let intermediate_params = params("intermediate", BasicConstraints::Constrained(0));
    let (root_key, intermediate_key) = (KeyPair::generate()?, KeyPair::generate()?);
    let root = root_params.self_signed(&root_key)?;
    let issuer = Issuer::new(root_params, &root_key);
    let intermediate = intermediate_params.signed_by(&intermediate_key, &issuer)?;
    let at = |name: &str| make.directory.join(format!("{}-{name}", make.ca));
    // Whoever overwrites an authority makes all its certificates worthless: never.
    write(&at("root.key"), &root_key.serialize_pem(), SECRET, false)?;
    write(&at("intermediate.key"), &intermediate_key.serialize_pem(), SECRET, false)?;
    write(&at("root.pem"), &root.pem(), PUBLIC, false)?;
    write(&at("intermediate.pem"), &intermediate.pem(), PUBLIC, false)?;
    Ok(())
}

/// From yesterday, for phones whose clocks are slow.
fn hold(params: &mut CertificateParams, today: Date, days: i32) {
    let moment = |date: Date| {
        rcgen::date_time_ymd(
            date.year().into(),
            date.month().unsigned_abs(),
            date.day().unsigned_abs(),
        )
    };
    params.not_before = moment(today.saturating_sub(1.day()));
    params.not_after = moment(today.saturating_add(days.days()));
}

fn write(path: &Path, text: &str, mode: u32, overwrite: bool) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).mode(mode);
    if overwrite {
        // A new file, so that the mode is ours and no reader sees half of it.
        let new = path.with_extension("new");
        let _ = fs::remove_file(&new);
        let mut file = options.create_new(true).open(&new).map_err(|error| named(&new, &error))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        return fs::rename(&new, path).map_err(|error| named(path, &error));
    }
    let mut file = options.create_new(true).open(path).map_err(|error| named(path, &error))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

const SECRET: u32 = 0o600;
const PUBLIC: u32 = 0o644;
/// Ten years: phones are told once.
const AUTHORITY_DAYS: i32 = 3650;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use diesis_engine::certificate::{Chain, PrivateKey, Wildcards};

    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("diesis-cert-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        path
    }

    fn wish(directory: &Path) -> Make {
        Make {
            name: "sip.example.com".into(),
            aliases: vec!["192.0.2.7".into(), "pbx.example.com".into()],
            ca: "house".into(),
            days: 365,
            directory: directory.to_owned(),
            force: false,
        }
    }

    #[test]
    fn a_new_certificate_is_what_phones_and_the_engine_need() {
        let directory = directory("new");
        let today = jiff::civil::date(2026, 3, 1);
        let files = certificates(&wish(&directory), today).unwrap();
        let chain = Chain::parse(&fs::read(&files.chain).unwrap()).unwrap();
        assert_eq!(chain.certificates().len(), 2, "leaf and intermediate");
        assert_eq!(chain.leaf().subject, "CN=sip.example.com");
        for name in ["sip.example.com", "192.0.2.7", "pbx.example.com"] {
            assert!(chain.leaf().is_for(name, Wildcards::Refused), "{name}");
        }
        let noon = "2026-03-01T12:00:00Z".parse().unwrap();
        assert_eq!(chain.faults(noon), []);
        let root = Chain::parse(&fs::read(&files.root).unwrap()).unwrap();
        assert_eq!(chain.is_trusted_by(root.certificates()), Ok(()));
        let key = PrivateKey::parse(&fs::read(&files.key).unwrap()).unwrap();
        assert!(chain.with_key(key).is_ok());
        let mode = fs::metadata(&files.key).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn nothing_is_overwritten_unless_asked_and_an_authority_never() {
        let directory = directory("again");
        let today = jiff::civil::date(2026, 3, 1);
        let mut wish = wish(&directory);
        let files = certificates(&wish, today).unwrap();
        let root = fs::read(&files.root).unwrap();
        let refused = certificates(&wish, today).unwrap_err().to_string();
        assert!(refused.contains("--force"), "{refused}");
        wish.force = true;
        let before = fs::read(&files.key).unwrap();
        certificates(&wish, today).unwrap();
        assert_ne!(fs::read(&files.key).unwrap(), before);
        assert_eq!(fs::read(&files.root).unwrap(), root);
        fs::remove_dir_all(directory).unwrap();
    }
}
