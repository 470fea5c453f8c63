package monitoring

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// composed are the services of a profile of docker-compose.yml, as docker-compose reads them.
func composed(t *testing.T, profile string) map[string]composeService {
	t.Helper()
	program, err := exec.LookPath("docker-compose")
	if err != nil {
		t.Skip("there is no docker-compose")
	}
	out, err := exec.CommandContext(t.Context(), program, "-f", "../../docker-compose.yml", "--profile", profile,
		"config").Output()
	if err != nil {
		t.Fatalf("docker-compose config: %v", err)
	}
	var all struct {
		Services map[string]composeService
	}
	if err := yaml.Unmarshal(out, &all); err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(all.Services, func(_ string, s composeService) bool { return !slices.Contains(s.Profiles, profile) })
	return all.Services
}

type composeService struct {
	Profiles    []string
	NetworkMode string `json:"network_mode"`
	Environment map[string]string
	Command     []string
	Entrypoint  []string
	Ports       []any
	Volumes     []any // texts, or objects with a source, as the version of docker-compose has it
}

// What stands beside the region listens on the loopback alone, as the network is the host's, and the files that it is given are here.
func TestProfilesOfDockerComposeStayOnTheMachine(t *testing.T) {
	for profile, want := range map[string]map[string]string{ // what says where a service listens
		"monitoring": {"prometheus": "--web.listen-address=127.0.0.1:9090", "grafana": "GF_SERVER_HTTP_ADDR=127.0.0.1"},
		"logging": {"opensearch": "network.host=127.0.0.1", "opensearch-dashboards": "SERVER_HOST=127.0.0.1",
			"opensearch-objects": "http://127.0.0.1:5601/api/saved_objects/_import?overwrite=true"},
	} {
		services := composed(t, profile)
		if got := slices.Sorted(maps.Keys(services)); !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
			t.Errorf("%s has %v", profile, got)
		}
		for name, s := range services {
			says := append(slices.Clone(s.Command), s.Entrypoint...)
			for key, value := range s.Environment {
				says = append(says, key+"="+value)
			}
			if s.NetworkMode != "host" || len(s.Ports) > 0 || !slices.Contains(says, want[name]) {
				t.Errorf("%s listens elsewhere: %q", name, says)
			}
			for _, v := range s.Volumes {
				source, _, _ := strings.Cut(fmt.Sprint(v), ":")
				if object, isObject := v.(map[string]any); isObject {
					source = fmt.Sprint(object["source"])
				}
				if _, err := os.Stat(source); err != nil && !strings.HasPrefix(filepath.Base(source), ".tripod") {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
}

// Dashboards get the index pattern of the log router's indexes, and objects that refer to what is there.
func TestTheIndexPatternIsThatOfTheLogRoutersIndexes(t *testing.T) {
	file, err := os.Open("opensearch/dashboards.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	there := map[string]string{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var object struct {
			Type, ID   string
			Attributes struct{ Title, TimeFieldName string }
			References []struct{ Type, ID string }
		}
		if err := json.Unmarshal(lines.Bytes(), &object); err != nil {
			t.Fatal(err)
		}
		there[object.Type+"/"+object.ID] = object.Attributes.Title + " " + object.Attributes.TimeFieldName
		for _, to := range object.References {
			if there[to.Type+"/"+to.ID] == "" {
				t.Errorf("%s refers to %s, which is not there", object.ID, to.ID)
			}
		}
	}
	if got := there["index-pattern/logstash"]; got != "logstash-* @timestamp" {
		t.Errorf("the index pattern is %q", got)
	}
}
