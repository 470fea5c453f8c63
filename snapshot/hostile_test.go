package snapshot

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tripod/api"
)

// reg is a file of an archive, and other types of entries.
func reg(name string, size int64) *tar.Header { return header(name, size, made) }

func other(kind byte, name, link string) *tar.Header {
	return &tar.Header{Typeflag: kind, Name: name, Linkname: link, Mode: 0o777, ModTime: made, Format: tar.FormatPAX}
}

func sized(size string) *tar.Header {
	head := reg("db", 3)
	head.PAXRecords = map[string]string{sizeRecord: size}
	return head
}

// TestHostileArchivesAreRefused holds for what people send each other.
func TestHostileArchivesAreRefused(t *testing.T) {
	good := forged(t, nil, reg("tripod.json", 3))
	for name, c := range map[string]struct {
		text []byte
		want string
	}{
		"a way up": {forged(t, nil, reg("../x", 3)), `"../x" has no place in a region`},
		"a way up, hidden": {forged(t, nil, other(tar.TypeDir, "zones/", ""), reg("zones/../../x", 3)),
			"has no place in a region"},
		"an absolute name":     {forged(t, nil, reg("/tmp/x", 3)), "has no place in a region"},
		"the directory itself": {forged(t, nil, other(tar.TypeDir, "./", "")), "has no place in a region"},
		"a kubeconfig":         {forged(t, nil, reg("kubeconfig", 3)), "has no place in a region"},
		"processes to kill":    {forged(t, nil, reg("agents.json", 3)), "has no place in a region"},
		"a report":             {forged(t, nil, reg("chaos/x/report.json", 3)), "has no place in a region"},
		"a token":              {forged(t, nil, reg("control-token", 3)), "has no place in a region"},
		"a lock":               {forged(t, nil, reg("lock", 3)), "has no place in a region"},
		"a hidden file":        {forged(t, nil, reg(".restoring", 3)), "has no place in a region"},
		"a link": {forged(t, nil, other(tar.TypeSymlink, "zones", "/etc")),
			"is neither a file nor a directory"},
		"a file behind a link": {forged(t, nil, other(tar.TypeSymlink, "zones", "/tmp"), reg("zones/x", 3)),
			"is neither a file nor a directory"},
		"a hard link": {forged(t, nil, other(tar.TypeLink, "passwd", "/etc/passwd")),
			"is neither a file nor a directory"},
		"a device":            {forged(t, nil, other(tar.TypeChar, "null", "")), "is neither a file nor a directory"},
		"a pipe":              {forged(t, nil, other(tar.TypeFifo, "pipe", "")), "is neither a file nor a directory"},
		"the same file twice": {forged(t, nil, reg("x", 3), reg("x", 3)), "file exists"},
		"a file as directory": {forged(t, nil, reg("x", 3), reg("x/y", 3)), "not a directory"},
		"no directory for it": {forged(t, nil, reg("zones/x", 3)), "no such file or directory"},
		"a name too long":     {forged(t, nil, reg(strings.Repeat("x", 300), 3)), "file name too long"},
		"a huge size":         {forged(t, nil, sized("99999999999999")), "99999999999999 bytes are no size for it"},
		"a size too small":    {forged(t, nil, sized("2")), "2 bytes are no size for it"},
		"a size that is none": {forged(t, nil, sized("many")), `its size is "many"`},
		"more than it says": {forged(t, func(s *api.Snapshot) { s.DataBytes-- }, reg("x", 3)),
			"there is more in it than its manifest says"},
		"more entries": {forged(t, func(s *api.Snapshot) { s.Entries-- }, reg("x", 3), reg("y", 3)),
			"there is more in it than its manifest says"},
		"less than it says": {forged(t, func(s *api.Snapshot) { s.DataBytes++ }, reg("x", 3)),
			"1 entries with 3 bytes are in it, and not 1 with 4"},
		"fewer entries": {forged(t, func(s *api.Snapshot) { s.Entries++ }, reg("x", 3)),
			"1 entries with 3 bytes are in it, and not 2 with 3"},
		"more than a disk has": {forged(t, func(s *api.Snapshot) { s.DataBytes = 1 << 60 }, reg("x", 3)),
			"free some space and try again"},
		"entries beyond count": {forged(t, func(s *api.Snapshot) { s.Entries = 1 << 40 }, reg("x", 3)),
			"says nothing that can be"},
		"no entry": {forged(t, nil), "says nothing that can be"},
		"a negative size": {forged(t, func(s *api.Snapshot) { s.DataBytes = -1 }, reg("x", 3)),
			"says nothing that can be"},
		"a newer format": {forged(t, func(s *api.Snapshot) { s.Format = 2 }, reg("x", 3)),
			"was made by a newer Tripod (format 2, this one knows 1): use that Tripod"},
		"a newer region": {forged(t, func(s *api.Snapshot) { s.Schema = 2 }, reg("x", 3)),
			"was made by a newer Tripod (schema 2, this one knows 1): use that Tripod"},
		"something behind it": {append(append([]byte{}, good...), good...), "something follows its end"},
		"one byte behind it":  {append(append([]byte{}, good...), 0), "something follows its end"},
		"nothing":             {nil, "is no snapshot of Tripod's, or is damaged"},
		"a text":              {[]byte("apiVersion: v1\n"), "is no snapshot of Tripod's, or is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			dir := filepath.Join(parent, "staging")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			path := put(t, c.text)
			err := extract(t, path, dir)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if err != nil && !strings.Contains(err.Error(), path) && name != "more than a disk has" {
				t.Errorf("%v does not say which", err)
			}
			for beside := range tree(t, parent) {
				if beside != "staging" && !strings.HasPrefix(beside, "staging/") {
					t.Errorf("it made %s beside the directory", beside)
				}
			}
		})
	}
	if err := extract(t, put(t, good), t.TempDir()); err != nil {
		t.Errorf("what the others are forged from: %v", err)
	}
}

// TestDamagedArchivesAreRefused cuts a good one short, and changes a bit of it.
func TestDamagedArchivesAreRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "region")
	write(t, filepath.Join(dir, "tripod.json"), `{"schema":1}`)
	write(t, filepath.Join(dir, "pki", "region-ca.key"), "a key, and another\n")
	whole, want := packed(t, dir), wanted(t, dir)
	for i := range 16 {
		if err := extract(t, put(t, whole[:len(whole)*i/16]), t.TempDir()); err == nil {
			t.Errorf("the first %d sixteenths of it are taken for a whole", i)
		}
	}
	if err := extract(t, put(t, whole[:len(whole)-1]), t.TempDir()); err == nil {
		t.Error("without its last byte it is taken for a whole")
	}
	for at := 10; at < len(whole); at++ { // behind gzip's own header, of which not all counts
		changed := bytes.Clone(whole)
		changed[at] ^= 4
		to := t.TempDir()
		if err := extract(t, put(t, changed), to); err != nil {
			continue
		}
		if diff := cmp.Diff(want, tree(t, to)); diff != "" { // else the same run of the same bytes was taken from elsewhere
			t.Errorf("with byte %d changed it is taken for a whole: -want +got:\n%s", at, diff)
		}
	}
}

func TestModesAreForced(t *testing.T) {
	dir := other(tar.TypeDir, "zones/", "")
	file := reg("zones/x", 3)
	file.Mode = 0o4777
	to := t.TempDir()
	if err := extract(t, put(t, forged(t, nil, dir, file)), to); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"zones": "drwx------", "zones/x": "-rw------- 3 xxx"}
	if diff := cmp.Diff(want, tree(t, to)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
