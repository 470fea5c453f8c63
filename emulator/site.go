package emulator

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"tripod/api"
	"tripod/internal/options"
)

// zoneLetters tell the zones of a region apart, as AWS names them.
var zoneLetters = [...]string{"a", "b", "c"}

// majority of the three zones.
const majority = len(zoneLetters)/2 + 1

// site is what all parts of a region know of it: what it was asked to be, and where its files are. Nothing of it
// changes after open.
type site struct {
	options options.Up
	logger  *slog.Logger
	dir     *dataDir
	runDir  string // the sockets'
	events  *journal
}

// emit makes an event of the region's.
func (s *site) emit(event api.Event) { s.events.add(event) }

// noZone refuses a zone that is not there, and says which are.
func (s *site) noZone(name string) error {
	return refuse("there is no zone %q in %s: its zones are %s", name, s.options.Region, strings.Join(zoneLetters[:], ", "))
}

func (s *site) zoneName(i int) string { return s.options.Region + zoneLetters[i] }

// zoneRunDir is where the i-th zone's sockets are.
func (s *site) zoneRunDir(i int) string { return filepath.Join(s.runDir, zoneLetters[i]) }

// directions are how AWS shortens the middle of a region's name in the ids of its zones; other words by their first
// letter.
var directions = map[string]string{"northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw"}

// zoneID is AWS's name of the physical zone: use1-az1 for the first of us-east-1, apse2-az1 of ap-southeast-2.
func (s *site) zoneID(i int) string {
	var area, direction, number string
	parts := strings.Split(s.options.Region, "-")
	area, number = parts[0], parts[len(parts)-1]
	for _, word := range parts[1 : len(parts)-1] {
		short, ok := directions[word]
		if !ok {
			short = word[:1]
		}
		direction += short
	}
	return fmt.Sprintf("%s%s%s-az%d", area, direction, number, i+1)
}
