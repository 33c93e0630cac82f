//! Which packages the retirement leaves as they are.

use std::collections::HashSet;

use super::Plan;
use crate::metadata::Package;

/// The package of a path of the workspace; `None` for what belongs to none.
fn package_of(path: &str) -> Option<&str> {
    match path.split_once('/')? {
        ("crates", rest) => rest.split('/').next(),
        ("tests", _) => Some("lastpost-tests"),
        _ => None,
    }
}

/// Names of the packages of which no file changes, and which depend on none that does: they are
/// octet for octet what was tested before, and so is all they are made of.
pub(super) fn untouched(plan: &Plan, packages: &[Package]) -> Vec<String> {
    let gone = plan.crates.iter().map(|retiring| retiring.name.as_str());
    let edited = plan.files.iter().chain(plan.lines.iter().map(|(path, _)| path));
    let mut touched: HashSet<&str> =
        gone.chain(edited.filter_map(|path| package_of(path))).collect();
    loop {
        let before = touched.len();
        for package in packages {
            let leans = |name: &str| touched.contains(name);
            let inside = package.dependencies.iter().filter(|one| one.path.is_some());
            if inside.into_iter().any(|one| leans(&one.name)) {
                touched.insert(&package.name);
            }
        }
        if touched.len() == before {
            break;
        }
    }
    let names = packages.iter().map(|package| package.name.as_str());
    names.filter(|name| !touched.contains(name)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Dependency;

    fn package(name: &str, needs: &[&str]) -> Package {
        let dependencies = needs.iter().map(|name| Dependency {
            name: (*name).to_owned(),
            kind: None,
            optional: false,
            path: Some(format!("/w/crates/{name}")),
        });
        Package { name: name.to_owned(), dependencies: dependencies.collect() }
    }

    #[test]
    fn what_is_edited_touches_all_that_lean_on_it() {
        let packages = [
            package("base", &[]),
            package("edited", &["base"]),
            package("leaning", &["edited"]),
            package("lastpost-tests", &["leaning"]),
            package("beside", &["base"]),
        ];
        let plan = Plan {
            crates: Vec::new(),
            files: vec!["docs/bridge.md".to_owned()],
            lines: vec![("crates/edited/src/lib.rs".to_owned(), 1), ("Cargo.toml".to_owned(), 1)],
        };
        assert_eq!(untouched(&plan, &packages), ["base", "beside"]);
    }
}
