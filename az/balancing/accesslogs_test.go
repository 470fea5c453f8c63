package balancing

import (
	"compress/gzip"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"tripod/region"
)

func TestAccessLogsAreFilesAsInABucket(t *testing.T) {
	dir := t.TempDir()
	logs := &accessLogs{dir: dir, zone: "us-east-1a", now: func() time.Time { return time.Date(2026, 3, 4, 23, 40, 0, 1, time.UTC) },
		logger: slog.New(slog.DiscardHandler), pending: map[string]*pendingLog{}}
	b := region.LoadBalancer{Name: "web", ARN: "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/web/0123456789abcdef",
		Type: region.ApplicationBalancer, Zones: []region.BalancerZone{{Zone: "us-east-1a", PublicAddress: "203.0.113.7"}},
		Attributes: map[string]string{"access_logs.s3.bucket": "my-logs", "access_logs.s3.prefix": "shop"}}
	logs.note(b, "first")
	logs.note(b, "second")
	if found, _ := filepath.Glob(filepath.Join(dir, "*")); len(found) > 0 {
		t.Fatalf("published at once: %v", found)
	}
	logs.close()
	logs.note(b, "late")
	found, err := filepath.Glob(filepath.Join(dir, "my-logs/shop/AWSLogs/000000000000/elasticloadbalancing/us-east-1/2026/03/04/*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("found %v, %v", found, err)
	}
	name := regexp.MustCompile(`^000000000000_elasticloadbalancing_us-east-1_app\.web\.0123456789abcdef_20260304T2340Z_` +
		`203\.0\.113\.7_[0-9a-f]{12}\.log\.gz$`)
	if base := filepath.Base(found[0]); !name.MatchString(base) {
		t.Errorf("it is called %s", base)
	}
	file, err := os.Open(found[0])
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(z); string(text) != "first\nsecond\n" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestAccessLogsStayInTheirDirectory(t *testing.T) {
	logs := &accessLogs{dir: t.TempDir(), now: time.Now}
	for bucket, prefix := range map[string]string{"../../etc": "", "my-logs": "../../..", "": "", "other-logs": "/etc"} {
		p := &pendingLog{balancer: region.LoadBalancer{ARN: "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/web/1",
			Attributes: map[string]string{"access_logs.s3.bucket": bucket, "access_logs.s3.prefix": prefix}}}
		if err := logs.write(p); err == nil {
			t.Errorf("bucket %q, prefix %q: no error", bucket, prefix)
		}
	}
}
