package datadir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"tripod/api"
)

// Schema is the newest layout of a data directory that this Tripod knows, as its marker tells it. It reads this and
// older ones.
const Schema = 1

// MarkerFile is the name of the file that makes a directory a region's.
const MarkerFile = "tripod.json"

// Marker is what stands in MarkerFile: who the region is, for good.
type Marker struct {
	Schema    int       `json:"schema"`
	Region    string    `json:"region"`
	AccountID string    `json:"accountId"`
	Port      int       `json:"port"`     // of the AWS endpoint; tokens and trust policies hold it
	PortBase  int       `json:"portBase"` // of the contiguous range that everything else has
	CreatedAt time.Time `json:"createdAt"`
	// Cluster is the cluster that the region was founded with; empty without one.
	Cluster           string `json:"cluster,omitempty"`
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
	ClusterID         string `json:"clusterId,omitempty"`
	Nodes             int    `json:"nodes"`
	// Founded says that the regional state has its first records.
	Founded bool `json:"founded"`
}

// Endpoint is the URL of the AWS endpoint, such as http://127.0.0.1:4566.
func (m Marker) Endpoint() string { return "http://127.0.0.1:" + strconv.Itoa(m.Port) }

// RegionName is the shape of a region's name, such as us-east-1.
var RegionName = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[1-9][0-9]?$`)

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

// Whole says whether a marker is one that Tripod has written.
func (m Marker) Whole() bool {
	port := func(n int) bool { return n > 0 && n < 65536 }
	return RegionName.MatchString(m.Region) && accountID.MatchString(m.AccountID) && port(m.Port) && port(m.PortBase)
}

// ReadMarker reads a data directory's marker. A directory without one is fs.ErrNotExist.
func ReadMarker(dataDir string) (Marker, error) {
	var marker Marker
	if err := readJSON(filepath.Join(dataDir, MarkerFile), &marker); err != nil {
		return Marker{}, err
	}
	if marker.Schema < 1 {
		return Marker{}, fmt.Errorf("%s is not Tripod's: it has no schema", filepath.Join(dataDir, MarkerFile))
	}
	return marker, nil
}

// Load reads what leads to a region: its marker and its default credentials. The error is a sentence, also where there
// is no region yet.
func Load(dataDir string) (Marker, api.Credentials, error) {
	marker, err := ReadMarker(dataDir)
	if err == nil {
		var credentials api.Credentials
		if credentials, err = ReadCredentials(dataDir); err == nil {
			return marker, credentials, nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("there is no region in %s yet: make one with 'tripod up'", dataDir)
	} else {
		err = fmt.Errorf("cannot read the region's files: %w", err)
	}
	return Marker{}, api.Credentials{}, err
}

// ReadCredentials reads the default credentials of the region in dataDir.
func ReadCredentials(dataDir string) (api.Credentials, error) {
	var credentials api.Credentials
	err := readJSON(filepath.Join(dataDir, "credentials.json"), &credentials)
	return credentials, err
}

func readJSON(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s is damaged: %w", path, err)
	}
	return nil
}
