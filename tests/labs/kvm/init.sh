#!/usr/bin/env bash
# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The first process of a lab host, in its own network, mount, UTS, IPC and PID namespaces. Killing it is pulling the host's plug.
# It gives the host its private system folders, says so by making $HOST_FOLDER/ready, and then reaps what is left to it.
# Environment: HOST_NAME, HOST_FOLDER (this host's), SHARED_FOLDER (the same for all hosts of the lab).

set -eu
mount --make-rprivate /
hostname "$HOST_NAME.lab"

# Nothing of the machine's own services may be found (systemd, D-Bus, a libvirtd of the machine), and no folder be made on its disk.
staging=$HOST_FOLDER/staging
mkdir -p "$staging"
mount -t tmpfs -o mode=755 tmpfs "$staging"
cp -a /etc/. "$staging/"
mount --move "$staging" /etc
for folder in /run /srv /var/lib /var/log /var/cache; do
  mount -t tmpfs -o mode=755 tmpfs "$folder"
done
mkdir -p /run/libvirt /run/sshd /run/lock /srv/shared /srv/local /var/lib/libvirt /var/log/libvirt /var/cache/libvirt /etc/libvirt /etc/pki /etc/ssh

# What outlives a power cut: definitions, state, logs, certificates, disks. /run/libvirt is there for its sockets only.
mount --bind "$HOST_FOLDER/libvirt-config" /etc/libvirt
mount --bind "$HOST_FOLDER/libvirt-state" /var/lib/libvirt
mount --bind "$HOST_FOLDER/libvirt-log" /var/log/libvirt
mount --bind "$HOST_FOLDER/libvirt-cache" /var/cache/libvirt
mount --bind "$HOST_FOLDER/run" /run/libvirt
mount --bind "$HOST_FOLDER/pki" /etc/pki
mount --bind "$HOST_FOLDER/ssh" /etc/ssh
mount --bind "$SHARED_FOLDER" /srv/shared
mount --bind "$HOST_FOLDER/local" /srv/local
cp -a "$HOST_FOLDER/etc/." /etc/

# Whether /dev/kvm is there and of use differs from machine to machine; the lab's guests run without it everywhere. The cover cannot be
# written, even by root: libvirt would otherwise take KVM as newly usable and probe QEMU again at every definition (4 s).
if [ -e /dev/kvm ]; then
  : > "$HOST_FOLDER/no-kvm"
  mount --bind "$HOST_FOLDER/no-kvm" /dev/kvm
  mount -o remount,bind,ro /dev/kvm
fi

trap : TERM INT HUP
: > "$HOST_FOLDER/ready"
while :; do
  sleep infinity &
  wait $! || :
done
