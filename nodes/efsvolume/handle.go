// Package efsvolume reads the volume handles of the Amazon EFS CSI driver, by which persistent volumes name file systems, and
// finds the directories that stand for these.
package efsvolume

import (
	"errors"
	"fmt"
	"os"
	"path"
	"regexp"
	"strings"
)

// Driver is the CSI driver's name.
const Driver = "efs.csi.aws.com"

// Handle is what a volume handle names.
type Handle struct {
	FileSystem  string // fs-0123456789abcdef0
	Path        string // in it, or in the access point's root directory; "/" where the handle has none
	AccessPoint string // fsap-0123456789abcdef0; empty: none
}

var (
	fileSystemForm  = regexp.MustCompile(`^fs-[0-9a-f]{8,40}$`)
	accessPointForm = regexp.MustCompile(`^fsap-[0-9a-f]{8,40}$`)
)

// Parse reads a handle, fs-X:PATH:fsap-Y, of which only the first is needed; the driver's versions from 3.0 on write efs: before
// it. Its error is in the driver's words.
func Parse(handle string) (Handle, error) {
	fields, most := strings.Split(handle, ":"), "three"
	if fields[0] == "efs" {
		fields, most = fields[1:], "four"
	}
	switch {
	case len(fields) > 3:
		return Handle{}, fmt.Errorf("volume ID '%s' is invalid: Expected at most %s fields separated by ':'", handle, most)
	case len(fields) == 0:
		return Handle{}, fmt.Errorf("volume ID '%s' is invalid: Missing file system ID", handle)
	case !fileSystemForm.MatchString(fields[0]):
		return Handle{}, fmt.Errorf("volume ID '%s' is invalid: Expected a file system ID of the form 'fs-[0-9a-f]{8,40}'", handle)
	}
	h := Handle{FileSystem: fields[0], Path: "/"}
	if len(fields) > 1 && fields[1] != "" {
		h.Path = path.Clean("/" + fields[1])
	}
	if len(fields) > 2 && fields[2] != "" {
		if h.AccessPoint = fields[2]; !accessPointForm.MatchString(h.AccessPoint) {
			return Handle{}, fmt.Errorf("volume ID '%s' has an invalid access point ID '%s': Expected it to be of the form "+
				"'fsap-[0-9a-f]{8,40}'", handle, h.AccessPoint)
		}
	}
	return h, nil
}

// Source is what is mounted, as the driver writes it: fs-0123456789abcdef0:/.
func (h Handle) Source() string { return h.FileSystem + ":" + h.Path }

// Options are the mount's, as the driver gives them to mount.efs.
func (h Handle) Options() string {
	if h.AccessPoint != "" {
		return "accesspoint=" + h.AccessPoint + ",tls"
	}
	return "tls"
}

// Below is where a path of an access point, whose root directory has a path of its own, is in the file system, relative to it
// and never above it. An empty root is the file system's.
func Below(root, at string) string {
	below := strings.TrimPrefix(path.Join("/", path.Clean("/"+root), path.Clean("/"+at)), "/")
	if below == "" {
		return "."
	}
	return below
}

// Remove deletes a directory of a file system, which dir stands for, and not the whole of it. Links do not lead out of it.
func Remove(dir, at string) error {
	below := Below("/", at)
	if below == "." {
		return errors.New("it is the file system's own root")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return root.RemoveAll(below)
}
