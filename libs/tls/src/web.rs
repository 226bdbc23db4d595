//! Servers outside the deployment.

use crate::{TlsError, material, provider};
use rustls::{ClientConfig, RootCertStore};
use std::{
    path::Path,
    sync::{Arc, LazyLock},
};

/// The authorities the system trusts.
pub(crate) static SYSTEM: LazyLock<RootCertStore> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    let (_usable, _passed_over) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
});

/// What a client of a server outside the deployment needs: it trusts `ca`, in PEM, or else the system's authorities, and
/// presents nothing. TLS 1.3, or 1.2 where the server knows no better.
pub fn web(ca: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
    let roots = match ca {
        Some(path) => {
            let contents = material::read(&[path.to_owned()])?;
            material::roots(path, contents.first().map_or(&[], |content| content))?
        }
        None => SYSTEM.clone(),
    };
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    Ok(Arc::new(builder.map_err(TlsError::Unfit)?.with_root_certificates(roots).with_no_client_auth()))
}
