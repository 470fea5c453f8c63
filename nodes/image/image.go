// Package image is the catalogue of Amazon's own machine images: those that are optimized for EKS, of each Kubernetes
// version that Tripod runs, and plain Amazon Linux. Names, owners, devices and parameters of the Parameter Store are of
// AWS's shapes; ids follow from the names, and are the same in every region.
package image

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"time"

	"tripod/internal/version"
	"tripod/nodes/boot"
)

// Architectures, as EC2 names them.
const (
	X86 = "x86_64"
	ARM = "arm64"
)

// ReleaseDate is the date of the newest images, as their names have it. It is the only such date: node groups' release
// versions have it, too. PreviousDate is that of the release before, which is there to be updated from.
const (
	ReleaseDate  = "20260301"
	PreviousDate = "20260203"
)

// BottlerocketRelease and PreviousBottlerocket are the same for Bottlerocket: its version, and its build's commit.
const (
	BottlerocketRelease  = "1.55.0-2f6c3a4b"
	PreviousBottlerocket = "1.54.0-9c1be07d"
)

// Image is one of Amazon's images.
type Image struct {
	ID, Name, Description string
	// Family is how it boots; "" if it is not made for EKS.
	Family boot.Family
	// AMIType is EKS's name for what it is, such as AL2023_x86_64_STANDARD; "" if it is not made for EKS.
	AMIType string
	// Kubernetes is its minor version, such as 1.36, and Kubelet its kubelet's version, such as 1.36.1.
	Kubernetes, Kubelet string
	// Release is the release version as EKS's node groups have it, such as 1.36.1-20260301.
	Release string
	// Latest says that it is the newest of its kind.
	Latest       bool
	Architecture string
	Owner        string // an account of Amazon's
	Created      time.Time
	RootDevice   string
	Volumes      []Volume
	// Parameters are the paths in the Parameter Store below which it stands; see Parameters.
	parameters []string
}

// Volume that an instance gets.
type Volume struct {
	Device, SnapshotID, Type string
	GiB                      int
}

// Windows says whether it is of Windows.
func (i Image) Windows() bool { return strings.HasPrefix(i.Name, "Windows_") }

// idOf is an image's or a snapshot's id.
func idOf(prefix, name string) string {
	sum := sha256.Sum256([]byte(prefix + "/" + name))
	return prefix + "-0" + hex.EncodeToString(sum[:8])
}

// created is some hour of the night after a release's date.
func created(date string) time.Time {
	day, err := time.Parse("20060102", strings.ReplaceAll(date, ".", ""))
	if err != nil {
		panic("image: " + err.Error()) // the dates are constants
	}
	return day.Add(26*time.Hour + 17*time.Minute + 41*time.Second)
}

// All are the images, by id.
var All = sync.OnceValue(func() []Image {
	var all []Image
	for _, k := range version.KubernetesVersions {
		all = slices.Concat(all, al2023(k), bottlerocket(k), windows(k))
	}
	all = slices.Concat(all, al2(), amazonLinux())
	slices.SortFunc(all, func(a, b Image) int { return cmp.Compare(a.ID, b.ID) })
	return all
})

// Find finds an image by its id.
func Find(id string) (Image, bool) {
	i, found := slices.BinarySearchFunc(All(), id, func(image Image, id string) int { return cmp.Compare(image.ID, id) })
	if !found {
		return Image{}, false
	}
	return All()[i], true
}

// FamilyOf says how an image boots, which Kubernetes version it is made for, and its processors' architecture. All are
// "" for one that is not in the catalogue.
func FamilyOf(id string) (family boot.Family, kubernetes, architecture string) {
	image, _ := Find(id)
	return image.Family, image.Kubernetes, image.Architecture
}

// Of is the image of EKS's AMI type, such as AL2023_x86_64_STANDARD, for a Kubernetes version, such as 1.36, in a release,
// such as 1.36.1-20260301; "" is the newest one.
func Of(amiType, kubernetes, release string) (Image, bool) {
	i := slices.IndexFunc(All(), func(image Image) bool {
		return image.AMIType == amiType && image.Kubernetes == kubernetes &&
			(image.Release == release || release == "" && image.Latest)
	})
	if i < 0 {
		return Image{}, false
	}
	return All()[i], true
}
