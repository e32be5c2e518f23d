// Copyright: (c) 2026, vmops.migration contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package simulator

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/vmware/govmomi/object"
)

// labOn is a path for the same file on another datastore: the same one, or in a folder with a number where something of that name is there.
func labOn(file string, store *Datastore) string {
	var place object.DatastorePath
	place.FromString(file)
	place.Datastore = store.Name
	folder, name := path.Split(place.Path)
	for number := 1; labExists(store, place.Path); number++ {
		place.Path = fmt.Sprintf("%s_%d/%s", strings.TrimSuffix(folder, "/"), number, name)
	}
	return place.String()
}

func labExists(store *Datastore, file string) bool {
	_, err := os.Stat(labFile(store, file))
	return err == nil
}

// labFile is where a datastore's file lies on the machine that the server runs on.
func labFile(store *Datastore, file string) string {
	return filepath.Join(store.Info.GetDatastoreInfo().Url, filepath.Clean("/"+file))
}

// labMoveFile moves a file, given as paths such as "[store] folder/name", and removes the folder that it leaves empty.
// A disk is two files: its descriptor, and its extent beside it.
func labMoveFile(source *Datastore, from string, target *Datastore, to string) {
	var old, next object.DatastorePath
	old.FromString(from)
	next.FromString(to)
	pairs := [][2]string{{old.Path, next.Path}}
	if path.Ext(old.Path) == ".vmdk" {
		pairs = append(pairs, [2]string{labExtent(old.Path), labExtent(next.Path)})
	}
	for _, pair := range pairs {
		before, after := labFile(source, pair[0]), labFile(target, pair[1])
		_ = os.MkdirAll(filepath.Dir(after), 0o700)
		_ = os.Rename(before, after)
		_ = os.Remove(filepath.Dir(before)) // only where it is empty
	}
}

func labExtent(descriptor string) string {
	return strings.TrimSuffix(descriptor, ".vmdk") + "-flat.vmdk"
}

// labMoveHome moves everything that lies in the folder of the VM's own files, and is no disk, to its new folder.
func labMoveHome(source *Datastore, from string, target *Datastore, to string) {
	var old, next object.DatastorePath
	old.FromString(from)
	next.FromString(to)
	before, after := filepath.Dir(labFile(source, old.Path)), filepath.Dir(labFile(target, next.Path))
	files, _ := os.ReadDir(before)
	_ = os.MkdirAll(after, 0o700)
	for _, file := range files {
		if filepath.Ext(file.Name()) != ".vmdk" {
			_ = os.Rename(filepath.Join(before, file.Name()), filepath.Join(after, file.Name()))
		}
	}
	_ = os.Remove(before)
}
