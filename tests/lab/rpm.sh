# A repository in /srv/repo, of one RPM: the files in /tmp/engine.
apt-get -q -y --no-install-recommends install rpm createrepo-c
mkdir -p /srv/repo
cat > /tmp/docker.spec <<'END'
Name: docker
Version: 26.1.5
Release: 1
Summary: Docker Engine
License: Apache-2.0
AutoReqProv: no
Provides: docker-ce moby-engine
%description
Docker Engine
%global debug_package %{nil}
%global __os_install_post %{nil}
%install
cp -a /tmp/engine/. %{buildroot}/
%files
/*
END
rpmbuild -bb --quiet --define "_binary_payload w.ufdio" --define "_rpmdir /srv/repo" \
  --define "_build_id_links none" /tmp/docker.spec
createrepo_c -q /srv/repo
rm -rf /tmp/engine /tmp/docker.spec
