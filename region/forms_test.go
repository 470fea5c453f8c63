package region

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var writeForms = flag.Bool("write-forms", false, "write testdata/forms anew")

// The encoded form of a record is on the disks of every region: what is in testdata/forms is written and read as ever.
// A field that is added adds a line to it; one that is renamed, or that goes, breaks regions.
func TestRecordsKeepTheirForm(t *testing.T) {
	for kind, record := range map[string]any{
		"access-entry":             AccessEntry{},
		"access-key":               AccessKey{},
		"access-point":             AccessPoint{},
		"addon":                    Addon{},
		"auto-scaling-group":       AutoScalingGroup{},
		"auto-scaling-member":      GroupMember{},
		"capability":               Capability{},
		"certificate":              Certificate{},
		"certificate-issuer":       CertificateAuthority{},
		"cluster":                  Cluster{},
		"deleted-cluster":          DeletedCluster{},
		"deprecated-reading":       DeprecatedReading{},
		"fargate-machine":          FargateMachine{},
		"fargate-profile":          FargateProfile{},
		"fault":                    Fault{},
		"file-system":              FileSystem{},
		"group":                    Group{},
		"identity-provider":        IdentityProvider{},
		"insights-refresh":         InsightsRefresh{},
		"instance":                 Instance{},
		"instance-capacity":        Capacity{},
		"instance-profile":         InstanceProfile{},
		"listener":                 Listener{},
		"listener-rule":            ListenerRule{},
		"load-balancer":            LoadBalancer{},
		"mount-target":             MountTarget{},
		"network-interface":        NetworkInterface{},
		"nodegroup":                Nodegroup{},
		"oidc-provider":            OIDCProvider{},
		"pod-identity-association": PodIdentityAssociation{},
		"policy":                   Policy{},
		"role":                     Role{},
		"scaling-activity":         ScalingActivity{},
		"session-key":              SessionKey{},
		"snapshot":                 Snapshot{},
		"target":                   Target{},
		"target-group":             TargetGroup{},
		"target-report":            TargetReport{},
		"update":                   Update{},
		"user":                     User{},
		"volume":                   Volume{},
		"volume-modification":      VolumeModification{},
		"zonal-shift":              ZonalShift{},
		"zone-outage":              ZoneOutage{},
	} {
		t.Run(kind, func(t *testing.T) {
			value := reflect.New(reflect.TypeOf(record)).Elem()
			fill(value)
			text, err := json.MarshalIndent(value.Interface(), "", "\t")
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", "forms", kind+".json")
			if *writeForms {
				if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(bytes.TrimSpace(want)), string(text)); diff != "" {
				t.Errorf("the form has changed (-on disk +now):\n%s", diff)
			}
			again := reflect.New(value.Type())
			err = json.Unmarshal(want, again.Interface())
			if got := again.Elem().Interface(); err != nil || !reflect.DeepEqual(got, value.Interface()) {
				t.Errorf("what is on disk is read as %+v (%v)", got, err)
			}
		})
	}
}

// fill gives every field a value.
func fill(v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)))
		return
	case json.RawMessage:
		v.Set(reflect.ValueOf(json.RawMessage(`"raw"`)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Float64:
		v.SetFloat(7.5)
	case reflect.Uint8:
		v.SetUint(7)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	default:
		panic("a record has a field of kind " + v.Kind().String())
	}
}
