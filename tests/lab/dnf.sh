# Make a host a Fedora as far as provisioning can tell: dnf, and the repository in /srv/repo.
apt-get -q -y --no-install-recommends install dnf
mkdir -p /etc/yum.repos.d /etc/dnf/vars
echo 41 > /etc/dnf/vars/releasever
printf '[lab]\nname=lab\nbaseurl=file:///srv/repo\ngpgcheck=0\n' > /etc/yum.repos.d/lab.repo
