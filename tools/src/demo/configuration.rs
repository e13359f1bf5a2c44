//! The configuration that the engine has when it is started without a directory.

use std::net::SocketAddr;

use diesis_dialplan::conf::MemoryFiles;

/// A phone's account at the engine.
#[derive(Debug, Clone)]
pub(crate) struct PhoneAccount {
    pub(crate) name: String,
    pub(crate) password: String,
}

/// Three phones, 1001 to 1003, with passwords made now.
pub(crate) fn phones() -> Result<[PhoneAccount; 3], getrandom::Error> {
    let mut random = [0; 3 * PASSWORD_LENGTH];
    getrandom::fill(&mut random)?;
    let account = |index: usize| {
        let own = &random[index * PASSWORD_LENGTH..][..PASSWORD_LENGTH];
        PhoneAccount { name: format!("{}", 1001 + index), password: password(own) }
    };
    Ok([account(0), account(1), account(2)])
}

/// The embedded files, with these accounts and this listening address.
pub(crate) fn files(address: SocketAddr, phones: &[PhoneAccount]) -> MemoryFiles {
    let mut pjsip = include_str!("etc/pjsip.conf").to_owned();
    for protocol in ["udp", "tcp"] {
        pjsip.push_str(&format!(
            "[transport-{protocol}]\ntype = transport\nprotocol = {protocol}\nbind = {address}\n\n"
        ));
    }
    for PhoneAccount { name, password } in phones {
        pjsip.push_str(&format!(
            "[{name}](phone)\nauth = {name}\naors = {name}\ncallerid = Phone {name} <{name}>\n\
             [{name}](phone-auth)\nusername = {name}\npassword = {password}\n\
             [{name}](phone-aor)\n\n"
        ));
    }
    MemoryFiles::new()
        .with("extensions.conf", include_str!("etc/extensions.conf"))
        .with("confbridge.conf", include_str!("etc/confbridge.conf"))
        .with("rtp.conf", include_str!("etc/rtp.conf"))
        .with("pjsip.conf", pjsip)
}

/// Letters and digits that cannot be mistaken for one another, 5 bits each.
fn password(random: &[u8]) -> String {
    random.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect()
}

const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz123456789";
/// 80 bits.
const PASSWORD_LENGTH: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_configuration_holds_nothing_that_is_not_understood() {
        let phones = phones().unwrap();
        let files = files("127.0.0.1:5060".parse().unwrap(), &phones);
        let loaded = diesis_engine::config::Configuration::load(&files);
        let findings: Vec<String> = loaded.findings().map(|it| it.to_string()).collect();
        assert_eq!(findings, [""; 0]);
    }

    #[test]
    fn passwords_differ_and_hold_no_doubtful_letter() {
        let [one, two, three] = phones().unwrap();
        assert_ne!(one.password, two.password);
        assert_ne!(two.password, three.password);
        assert_eq!(one.password.len(), PASSWORD_LENGTH);
        assert!(!one.password.contains(['i', 'l', 'o', '0']));
    }
}
