# Make a host an openSUSE as far as provisioning can tell: zypper, and the repository in /srv/repo.
apt-get -q -y --no-install-recommends install zypper
mkdir -p /etc/zypp/repos.d
printf '[lab]\nbaseurl=file:///srv/repo\nenabled=1\nautorefresh=1\ngpgcheck=0\n' > /etc/zypp/repos.d/lab.repo
# No openSUSE's database is empty, and zypper cannot read one that is (rpmdb2solv).
cat > /tmp/release.spec <<'END'
Name: openSUSE-release
Version: 15.6
Release: 1
Summary: openSUSE Leap
License: MIT
%description
openSUSE Leap
%files
END
rpmbuild -bb --quiet --define "_rpmdir /tmp/release" /tmp/release.spec
rpm --install --nodeps /tmp/release/*/*.rpm
rm -r /tmp/release /tmp/release.spec
