package awsapi_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tripod/awsapi"
	"tripod/awsapi/history"
	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/logs/logstore"
	"tripod/region"
)

// eachService runs a test for each AWS service of the list, by its signing name.
func eachService(t *testing.T, test func(t *testing.T, service operation.Service)) {
	for _, service := range (awsapi.Backend{State: region.NewMemory()}).Services() {
		t.Run(service.Name, func(t *testing.T) { test(t, service) })
	}
}

func TestEveryServiceIsListedOnce(t *testing.T) {
	seen := map[string]bool{}
	eachService(t, func(t *testing.T, service operation.Service) {
		switch {
		case seen[service.Name]:
			t.Error("two services have this signing name")
		case service.Title == "" || service.Protocol == wire.Unspoken || len(service.APIs) == 0:
			t.Errorf("the service does not say all that the list needs: %+v", service)
		}
		seen[service.Name] = true
	})
}

// TestEveryServicesFolderIsInTheList looks for packages that have a service which nobody lists.
func TestEveryServicesFolderIsInTheList(t *testing.T) {
	list, err := os.ReadFile("services.go")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d files, error %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		folder := filepath.Dir(file)
		if strings.Contains(string(text), " Listing() operation.Service") &&
			!strings.Contains(string(list), `"tripod/awsapi/`+folder+`"`) {
			t.Errorf("the service in awsapi/%s is not in Backend.Services", folder)
		}
	}
}

func TestEveryOperationIsListedOnceAndDocumented(t *testing.T) {
	eachService(t, func(t *testing.T, service operation.Service) {
		var want, got []string
		for _, api := range service.APIs {
			names := api.Names()
			if twice := firstTwice(names); twice != "" {
				t.Errorf("%s is listed twice", twice)
			}
			for _, name := range names {
				if api.Operation(name) != name {
					t.Errorf("%s is no operation of the API", name)
				}
			}
			want = append(want, names...)
		}
		for _, line := range service.Documented {
			if line.State == "" || line.Effect == "" {
				t.Errorf("%s is documented without a state or an effect", line.Operation)
			}
			if line.State != operation.Refused && !slices.Contains(want, line.Operation) {
				t.Errorf("%s is documented as done here, and is not", line.Operation)
			}
			got = append(got, line.Operation)
		}
		slices.Sort(got)
		for _, name := range want {
			if i, found := slices.BinarySearch(got, name); found {
				got = slices.Delete(got, i, i+1)
			} else {
				t.Errorf("%s is not documented", name)
			}
		}
		for i, name := range got { // what is left is refused
			if slices.Contains(want, name) || i > 0 && name == got[i-1] {
				t.Errorf("%s is documented twice", name)
			}
		}
	})
}

// firstTwice is the first of sorted names that is there twice.
func firstTwice(names []string) string {
	for i := 1; i < len(names); i++ {
		if names[i] == names[i-1] {
			return names[i]
		}
	}
	return ""
}

// pathLabel is a part of a path that a caller fills in.
var pathLabel = regexp.MustCompile(`\{[^}]*\}`)

// anyCall is a call of the first operation of a service: its method and path, with its parameters, and its header.
func anyCall(service operation.Service) (name, method, path string, header map[string]string) {
	switch api := service.APIs[0].(type) {
	case *operation.RESTAPI:
		one := api.Operations[0]
		return one.Name, one.Method, pathLabel.ReplaceAllString(one.Path, "x"), nil
	case *operation.QueryAPI:
		name = api.Names()[0]
		return name, http.MethodGet, "/?Action=" + name + "&Version=" + api.Version, nil
	}
	name = service.APIs[0].Names()[0]
	return name, http.MethodPost, "/", map[string]string{"X-Amz-Target": "T." + name}
}

// withEvents gives a front's CloudWatch Logs its events.
func withEvents(t *testing.T) func(*awsapi.Front) {
	t.Helper()
	store, err := logstore.Open(logstore.Config{Dir: t.TempDir(), Zone: "us-east-1a", Zones: []string{"us-east-1a"}})
	if err != nil {
		t.Fatal(err)
	}
	return func(f *awsapi.Front) { f.LogEvents = store }
}

func TestEveryServicesCallsAreCountedUnderItsName(t *testing.T) {
	w := newWorld(t, withEvents(t))
	eachService(t, func(t *testing.T, service operation.Service) {
		name, method, path, header := anyCall(service)
		w.raw(t, method, path, "", header, signAs(t, w.admin, service.Name))
		families, err := w.metrics.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			for _, metric := range family.GetMetric() {
				labels := map[string]string{}
				for _, label := range metric.GetLabel() {
					labels[label.GetName()] = label.GetValue()
				}
				if labels["service"] == service.Name && labels["operation"] == name {
					return
				}
			}
		}
		t.Errorf("a call of %s is not counted: %v", name, families)
	})
}

func TestEveryServicesCallsAreInTheHistory(t *testing.T) {
	configure, read := withHistory(t)
	w := newWorld(t, withEvents(t), configure)
	names := map[string]string{}
	eachService(t, func(t *testing.T, service operation.Service) {
		name, method, path, header := anyCall(service)
		names[service.Name+".amazonaws.com"] = name
		w.raw(t, method, path, "", header, signAs(t, w.admin, service.Name))
	})
	records, _ := read()
	for source, name := range names {
		is := func(r history.Record) bool { return r.EventSource == source && r.EventName == name }
		if !slices.ContainsFunc(records, is) {
			t.Errorf("%s of %s is not in the history", name, source)
		}
	}
}

func TestEveryServicesCallsAreThrottled(t *testing.T) {
	w := newWorld(t, withEvents(t), func(f *awsapi.Front) { f.Throttle = true })
	w.clock = created
	eachService(t, func(t *testing.T, service operation.Service) {
		_, method, path, header := anyCall(service)
		sign := func(r *http.Request) { signBody(r, "", w.admin, service.Name) }
		for range 1000 {
			_, body := w.raw(t, method, path, "", header, sign)
			if strings.Contains(body, "Rate exceeded") || strings.Contains(body, "Request limit exceeded") {
				return
			}
		}
		t.Error("1000 calls at once were taken")
	})
}
