// Package bundle gathers what the report of a fault needs into one archive: what the region says of itself, its logs, its machine, and no
// secrets.
//
// What goes in is listed here by name: nothing else of the data directory does, and no key, no state of a cluster, no volume, no
// pod's log. Whatever goes in goes through a scrubber first, which takes out the secrets that stand in the data directory, and
// what has the form of one.
package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"tripod/api"
)

const (
	// mostLog is how much of the end of a log goes in, and mostLogs of all logs.
	mostLog, mostLogs = 4 << 20, 200 << 20
	// mostFiles is how many files are named.
	mostFiles = 20_000
)

// Region is the region that the bundle is of, as far as it runs.
type Region interface {
	Status(ctx context.Context) (*api.Status, error)
	Metrics(ctx context.Context, target, cluster string, w io.Writer) error
}

// Source is where a bundle comes from.
type Source struct {
	DataDir string
	Region  Region
	Version string // of the program
	Now     time.Time
}

// Summary is what went into a bundle.
type Summary struct {
	Parts   []string // files, without the folder that all are in
	Removed int      // secrets
	Missing []string // what could not be had, with why, in a sentence each
}

// Write writes the bundle, a tar.gz, and tells step what it is at.
func Write(ctx context.Context, w io.Writer, from Source, step func(string)) (*Summary, error) {
	step("look for secrets that must not go in")
	scrub, err := newScrubber(from.DataDir)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", from.DataDir, err)
	}
	compressed := gzip.NewWriter(w)
	b := &bundle{Source: from, scrub: scrub, tar: tar.NewWriter(compressed), summary: &Summary{},
		folder: "tripod-support-" + from.Now.UTC().Format("20060102-150405")}
	for _, part := range []struct {
		what string
		put  func(context.Context) error
	}{
		{"ask the region", b.putRegion}, {"describe the machine", b.putMachine}, {"name the files", b.putFiles},
		{"copy events, settings and faults", b.putSettings}, {"copy logs", b.putLogs}, {"", b.putReadme},
	} {
		if part.what != "" {
			step(part.what)
		}
		if err := part.put(ctx); err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	if err := b.tar.Close(); err != nil {
		return nil, err
	}
	b.summary.Removed = scrub.taken
	return b.summary, compressed.Close()
}

type bundle struct {
	Source
	scrub   *scrubber
	tar     *tar.Writer
	folder  string
	logs    int64 // bytes of logs so far
	summary *Summary
}

func (b *bundle) miss(format string, args ...any) {
	b.summary.Missing = append(b.summary.Missing, fmt.Sprintf(format, args...))
}

// put adds a file, whose text it cleans.
func (b *bundle) put(name string, text io.Reader) error {
	var clean bytes.Buffer
	if err := b.scrub.copy(&clean, text); err != nil {
		b.miss("%s: %v", name, err)
		return nil
	}
	header := &tar.Header{Name: b.folder + "/" + name, Mode: 0o600, Size: int64(clean.Len()), ModTime: b.Now}
	if err := b.tar.WriteHeader(header); err != nil {
		return err
	}
	b.summary.Parts = append(b.summary.Parts, name)
	_, err := b.tar.Write(clean.Bytes())
	return err
}

func (b *bundle) putJSON(name string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return b.put(name, bytes.NewReader(append(text, '\n')))
}

// askTimeout is how long each question to the region may take: it may hang, which is why there is a bundle.
const askTimeout = 15 * time.Second

func (b *bundle) putRegion(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	status, err := b.Region.Status(ctx)
	if err != nil {
		b.miss("status.json and metrics.txt: %v", err)
		return nil
	}
	if err := b.putJSON("status.json", status); err != nil {
		return err
	}
	var metrics bytes.Buffer
	if err := b.Region.Metrics(ctx, "", "", &metrics); err != nil {
		b.miss("metrics.txt: %v", err)
		return nil
	}
	return b.put("metrics.txt", &metrics)
}

func (b *bundle) putMachine(context.Context) error {
	var text strings.Builder
	fmt.Fprintf(&text, "tripod %s, %s, %s/%s, %d processors\n", b.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	for _, path := range []string{"/proc/version", "/proc/meminfo", "/proc/loadavg", "/proc/pressure/cpu", "/proc/pressure/io",
		"/proc/pressure/memory", "/etc/os-release"} {
		if content, err := os.ReadFile(path); err == nil { // they are Linux'
			fmt.Fprintf(&text, "\n%s\n%s", path, content)
		}
	}
	return b.put("machine.txt", strings.NewReader(text.String()))
}

// putFiles names the files of the data directory, with their modes and sizes.
func (b *bundle) putFiles(context.Context) error {
	var text strings.Builder
	n := 0
	err := filepath.WalkDir(b.DataDir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil // it went meanwhile
		}
		if n++; n > mostFiles {
			return fs.SkipAll
		}
		if info, err := entry.Info(); err == nil {
			name, _ := filepath.Rel(b.DataDir, path)
			fmt.Fprintf(&text, "%s %12d %s %s\n", info.Mode(), info.Size(), info.ModTime().UTC().Format(time.DateTime), name)
		}
		return nil
	})
	if n > mostFiles {
		fmt.Fprintf(&text, "and more: the first %d are named\n", mostFiles)
	}
	if err != nil {
		b.miss("files.txt: %v", err)
	}
	return b.put("files.txt", strings.NewReader(text.String()))
}

// settings are the files of the data directory that go in, beside logs.
var settings = []string{"events.jsonl", "tripod.json", "links.json", "disks.json"}

func (b *bundle) putSettings(context.Context) error {
	for _, name := range settings {
		if err := b.putTail(name, filepath.Join(b.DataDir, name)); err != nil {
			return err
		}
	}
	return nil
}

// putLogs adds the logs of the region, and of its zones and their processes.
func (b *bundle) putLogs(context.Context) error {
	for _, pattern := range []string{"logs/*", "zones/*/logs/*"} {
		found, err := fs.Glob(os.DirFS(b.DataDir), pattern)
		if err != nil {
			return err
		}
		for _, name := range found {
			if b.logs >= mostLogs {
				b.miss("%s: there are %d MiB of logs already", name, mostLogs>>20)
				continue
			}
			if err := b.putTail(name, filepath.Join(b.DataDir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// putTail adds the end of a file, from a line's begin on. One that is not there, or is no file, is left out.
func (b *bundle) putTail(name, path string) error {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		b.miss("%s: %v", name, err)
		return nil
	}
	defer file.Close()
	text := io.Reader(io.LimitReader(file, mostLog))
	if info.Size() > mostLog {
		if _, err := file.Seek(-mostLog, io.SeekEnd); err != nil {
			return err
		}
		tail, err := io.ReadAll(text)
		if err != nil {
			b.miss("%s: %v", name, err)
			return nil
		}
		_, tail, _ = bytes.Cut(tail, []byte("\n"))
		text = bytes.NewReader(tail)
	}
	b.logs += min(info.Size(), mostLog)
	return b.put(name, text)
}

func (b *bundle) putReadme(context.Context) error {
	text := "What a report of a fault in Tripod needs, gathered by 'tripod support-bundle'. Read it before you send it.\n\n" +
		"status.json, metrics.txt  what the region said of itself\nevents.jsonl              what has happened\n" +
		"tripod.json, links.json, disks.json  the region's settings, and faults in force\n" +
		"machine.txt, files.txt    the machine, and the files' names and sizes\nlogs/, zones/*/logs/      the ends of logs\n\n" +
		fmt.Sprintf("%s stands for a secret that was taken out: there were %d.\n", removed, b.scrub.taken) +
		"Names of clusters, roles and pods, addresses of clients and the objects that API servers name in their logs are still there.\n"
	for _, missing := range b.summary.Missing {
		text += "Missing: " + missing + "\n"
	}
	return b.put("README.txt", strings.NewReader(text))
}
