package ec2

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMadeKeysAreReadByOpenSSH has ssh-keygen derive the public key from the private one that was shown.
func TestMadeKeysAreReadByOpenSSH(t *testing.T) {
	keygen, err := exec.LookPath("ssh-keygen")
	if err != nil {
		t.Skip("there is no ssh-keygen")
	}
	s := newService()
	for _, keyType := range []string{"rsa", "ed25519"} {
		made := must(t, s, "CreateKeyPair", "KeyName="+keyType, "KeyType="+keyType)
		file := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(file, []byte(html.UnescapeString(element(t, made, "keyMaterial"))), 0o600); err != nil {
			t.Fatal(err)
		}
		public, err := exec.CommandContext(t.Context(), keygen, "-y", "-f", file).CombinedOutput()
		shown := must(t, s, "DescribeKeyPairs", "KeyName.1="+keyType, "IncludePublicKey=true")
		if want := element(t, shown, "publicKey"); err != nil || strings.Join(strings.Fields(string(public))[:2],
			" ") != want {
			t.Errorf("%s: ssh-keygen has %s, %v; EC2 shows %s", keyType, public, err, want)
		}
		if element(t, shown, "keyType") != keyType ||
			element(t, shown, "keyFingerprint") != element(t, made, "keyFingerprint") {
			t.Errorf("%s: got %s after %s", keyType, shown, made)
		}
		if keyType != "ed25519" {
			continue
		}
		told, err := exec.CommandContext(t.Context(), keygen, "-l", "-f", file).CombinedOutput()
		if want := "SHA256:" + strings.TrimRight(element(t, made, "keyFingerprint"), "="); err != nil ||
			!strings.Contains(string(told), want) {
			t.Errorf("ssh-keygen has the fingerprint %s, %v; EC2 shows %s", told, err, want)
		}
	}
}

// TestKeysForPuTTYHaveTheirMAC computes it as PuTTY does when it reads the file.
func TestKeysForPuTTYHaveTheirMAC(t *testing.T) {
	s := newService()
	for keyType, kind := range map[string]string{"rsa": "ssh-rsa", "ed25519": "ssh-ed25519"} {
		text := html.UnescapeString(element(t,
			must(t, s, "CreateKeyPair", "KeyName=a "+keyType, "KeyType="+keyType, "KeyFormat=ppk"), "keyMaterial"))
		head, rest, _ := strings.Cut(text, "Public-Lines: ")
		if head != "PuTTY-User-Key-File-2: "+kind+"\nEncryption: none\nComment: a "+keyType+"\n" {
			t.Errorf("got %q", head)
		}
		public, rest, _ := strings.Cut(rest, "Private-Lines: ")
		private, mac, _ := strings.Cut(rest, "Private-MAC: ")
		blob := func(lines string) []byte {
			_, lines, _ = strings.Cut(lines, "\n") // their number
			b, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(lines, "\n", ""))
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		key := sha1.Sum([]byte("putty-private-key-file-mac-key"))
		want := hmac.New(sha1.New, key[:])
		want.Write(sshStrings([]byte(kind), []byte("none"), []byte("a "+keyType), blob(public), blob(private)))
		if got := strings.TrimSpace(mac); got != hex.EncodeToString(want.Sum(nil)) {
			t.Errorf("%s: the MAC is %s, want %x", keyType, got, want.Sum(nil))
		}
		shown := must(t, s, "DescribeKeyPairs", "KeyName.1=a "+keyType, "IncludePublicKey=true")
		if want := kind + " " + base64.StdEncoding.EncodeToString(blob(public)); element(t, shown, "publicKey") != want {
			t.Errorf("the public key is %s, want %s", shown, want)
		}
	}
	_, err := ask(s, "CreateKeyPair", "KeyName=x", "KeyFormat=der")
	said(t, err, "InvalidParameterValue: Value (der) for parameter KeyFormat is invalid. It must be pem or ppk.")
}
