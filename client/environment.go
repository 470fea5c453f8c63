package client

import (
	"path/filepath"
	"slices"
	"strings"

	"tripod/api"
	"tripod/internal/datadir"
)

// Variable is one variable of an environment.
type Variable struct{ Name, Value string }

// Environment leads a process' AWS and Kubernetes clients to one region.
type Environment struct {
	Set   []Variable
	Unset []string // what would send a client elsewhere
}

// ReadEnvironment makes the environment for the region in dataDir from its files, so that it works too while the
// region does not run. current is the environment to change, as os.Environ has it.
func ReadEnvironment(dataDir string, current []string) (Environment, error) {
	marker, credentials, err := datadir.Load(dataDir)
	if err != nil {
		return Environment{}, err
	}
	return environment(dataDir, marker, credentials, current), nil
}

func environment(dataDir string, marker datadir.Marker, credentials api.Credentials, current []string) Environment {
	env := Environment{
		Set: []Variable{
			{"AWS_ENDPOINT_URL", marker.Endpoint()},
			{"AWS_ACCESS_KEY_ID", credentials.AccessKeyID},
			{"AWS_SECRET_ACCESS_KEY", credentials.SecretAccessKey},
			{"AWS_REGION", marker.Region},
			{"AWS_DEFAULT_REGION", marker.Region},
			{"AWS_CA_BUNDLE", filepath.Join(dataDir, "pki", "region-ca.crt")},
			{"KUBECONFIG", filepath.Join(dataDir, "kubeconfig")},
		},
		Unset: []string{sessionToken, "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
			"AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"},
	}
	noProxy := map[string]string{"NO_PROXY": ""}
	for _, entry := range current {
		name, value, _ := strings.Cut(entry, "=")
		switch {
		case strings.HasPrefix(name, "AWS_ENDPOINT_URL_"):
			env.Unset = append(env.Unset, name)
		case name == "NO_PROXY", name == "no_proxy":
			noProxy[name] = value
		}
	}
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		// Programs differ in which spelling they prefer, so the second is kept in step where it is set.
		if value, ok := noProxy[name]; ok {
			env.Set = append(env.Set, Variable{name, mergeNoProxy(value)})
		}
	}
	return env
}

func mergeNoProxy(value string) string {
	hosts := strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
	for _, host := range []string{"127.0.0.1", "localhost"} {
		found := false
		for _, have := range hosts {
			found = found || have == host || have == "*"
		}
		if !found {
			hosts = append(hosts, host)
		}
	}
	return strings.Join(hosts, ",")
}

const sessionToken = "AWS_SESSION_TOKEN"

// As is the environment with other credentials of the region, such as the root user's.
func (e Environment) As(credentials api.Credentials) Environment {
	e.Set = slices.Clone(e.Set)
	for i := range e.Set {
		switch e.Set[i].Name {
		case "AWS_ACCESS_KEY_ID":
			e.Set[i].Value = credentials.AccessKeyID
		case "AWS_SECRET_ACCESS_KEY":
			e.Set[i].Value = credentials.SecretAccessKey
		}
	}
	if credentials.SessionToken != "" {
		e.Set = append(e.Set, Variable{sessionToken, credentials.SessionToken})
		e.Unset = slices.DeleteFunc(slices.Clone(e.Unset), func(name string) bool { return name == sessionToken })
	}
	return e
}

// Apply returns current, as os.Environ has it, with the environment's changes.
func (e Environment) Apply(current []string) []string {
	drop := map[string]bool{}
	for _, name := range e.Unset {
		drop[name] = true
	}
	for _, variable := range e.Set {
		drop[variable.Name] = true
	}
	var result []string
	for _, entry := range current {
		if name, _, _ := strings.Cut(entry, "="); !drop[name] {
			result = append(result, entry)
		}
	}
	for _, variable := range e.Set {
		result = append(result, variable.Name+"="+variable.Value)
	}
	return result
}
