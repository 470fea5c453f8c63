package iamapi

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"image"
	"image/png"
	"net/http"

	"tripod/awsapi/operation"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

const maxMFADevices = 8 // of a user

type mfaSerial struct {
	SerialNumber string `query:",required"`
}

func (in mfaSerial) subject(*operation.Call) thing {
	return thing{kind: kindMFA, name: in.SerialNumber}
}

// VirtualMFADevice is a device as answers have it; the seed is told once.
type VirtualMFADevice struct {
	SerialNumber     string
	Base32StringSeed string    `xml:",omitempty" json:",omitempty"` // in base64, as blobs are
	QRCodePNG        string    `xml:",omitempty" json:",omitempty"`
	User             *User     `xml:",omitempty" json:",omitempty"`
	EnableDate       string    `xml:",omitempty" json:",omitempty"`
	Tags             list[Tag] `xml:",omitempty" json:",omitempty"`
}

type createMFAInput struct {
	VirtualMFADeviceName string `query:",required"`
	Path                 string
	Tags                 []Tag
}

func (in createMFAInput) subject(*operation.Call) thing {
	return newThing(kindMFA, in.Path, in.VirtualMFADeviceName)
}

type virtualMFAResult struct{ VirtualMFADevice VirtualMFADevice }

// createMFA makes a seed. The picture is blank: authenticators that are programs take the seed.
func (s *Service) createMFA(call *operation.Call, in *createMFAInput) (*virtualMFAResult, error) {
	in.Path = cmp.Or(in.Path, "/")
	tags, err := checkTags(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	seed := make([]byte, 40)
	rand.Read(seed) // never fails
	d := iam.MFADevice{Serial: s.arn(kindMFA, in.Path+in.VirtualMFADeviceName), Name: in.VirtualMFADeviceName,
		Path: in.Path, CreatedAt: s.now(), Tags: tags,
		Seed: base32.StdEncoding.EncodeToString(seed)}
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		return nil, wrap(call, err)
	}
	return change(s, call, func(tx *state.Txn) (*virtualMFAResult, error) {
		if _, found := iam.MFADevices.Get(tx, d.Serial); found {
			return nil, alreadyExists("MFADevice entity at the same path and name already exists.")
		}
		iam.MFADevices.Put(tx, d.Serial, d)
		return &virtualMFAResult{VirtualMFADevice{SerialNumber: d.Serial,
			Base32StringSeed: base64.StdEncoding.EncodeToString([]byte(d.Seed)),
			QRCodePNG:        base64.StdEncoding.EncodeToString(picture.Bytes()), Tags: tagList(tags)}}, nil
	})
}

func (s *Service) deleteMFA(call *operation.Call, in *mfaSerial) (done, error) {
	return change(s, call, func(tx *state.Txn) (done, error) {
		d, found := iam.MFADevices.Get(tx, in.SerialNumber)
		switch {
		case !found:
			return done{}, notThere(kindMFA, in.SerialNumber)
		case d.UserID != "":
			return done{}, deleteConflict("MFA VirtualDevice in use. Must deactivate first.")
		}
		iam.MFADevices.Delete(tx, d.Serial)
		return done{}, nil
	})
}

type userMFAInput struct {
	userName
	SerialNumber string `query:",required"`
}

type codesInput struct {
	userMFAInput
	AuthenticationCode1 string `query:",required"`
	AuthenticationCode2 string `query:",required"`
}

// changeMFA changes a device that is a user's, or nobody's where it shall become one.
func (s *Service) changeMFA(call *operation.Call, in userMFAInput,
	alter func(*state.Txn, region.User, *iam.MFADevice) error) (done, error) {
	return change(s, call, func(tx *state.Txn) (done, error) {
		user, found := region.Users.Get(tx, in.UserName)
		if !found {
			return done{}, notThere(kindUser, in.UserName)
		}
		d, found := iam.MFADevices.Get(tx, in.SerialNumber)
		if !found {
			return done{}, notThere(kindMFA, in.SerialNumber)
		}
		if err := alter(tx, user, &d); err != nil {
			return done{}, err
		}
		iam.MFADevices.Put(tx, d.Serial, d)
		return done{}, nil
	})
}

func badCode() error {
	return refuse("InvalidAuthenticationCode", http.StatusForbidden, "Authentication code for device is not valid.")
}

func (s *Service) enableMFA(call *operation.Call, in *codesInput) (done, error) {
	now := s.now()
	return s.changeMFA(call, in.userMFAInput, func(tx *state.Txn, user region.User, d *iam.MFADevice) error {
		switch {
		case d.UserID != "":
			return alreadyExists("MFA Device is already in use.")
		case len(devicesOf(tx, user)) >= maxMFADevices:
			return limitExceeded("Cannot exceed quota for MFADevicesPerUser: %d", maxMFADevices)
		case d.Take(now, in.AuthenticationCode1, in.AuthenticationCode2) != nil:
			return badCode()
		}
		d.UserID, d.EnabledAt = user.ID, &now
		return nil
	})
}

func (s *Service) resyncMFA(call *operation.Call, in *codesInput) (done, error) {
	now := s.now()
	return s.changeMFA(call, in.userMFAInput, func(_ *state.Txn, user region.User, d *iam.MFADevice) error {
		switch {
		case d.UserID != user.ID:
			return notThere(kindMFA, in.SerialNumber)
		case d.Take(now, in.AuthenticationCode1, in.AuthenticationCode2) != nil:
			return badCode()
		}
		return nil
	})
}

func (s *Service) deactivateMFA(call *operation.Call, in *userMFAInput) (done, error) {
	return s.changeMFA(call, *in, func(_ *state.Txn, user region.User, d *iam.MFADevice) error {
		if d.UserID != user.ID {
			return notThere(kindMFA, in.SerialNumber)
		}
		d.UserID, d.EnabledAt = "", nil
		return nil
	})
}

// devicesOf are a user's.
func devicesOf(tx *state.Txn, user region.User) (own []iam.MFADevice) {
	for _, d := range iam.MFADevices.List(tx) {
		if d.UserID == user.ID {
			own = append(own, d)
		}
	}
	return own
}

// MFADevice is a user's device as lists have it.
type MFADevice struct{ UserName, SerialNumber, EnableDate string }

type mfaList struct {
	MFADevices list[MFADevice]
	pageEnd
}

type listMFAInput struct {
	callerOr
	paging
}

func (s *Service) listMFA(call *operation.Call, in *listMFAInput) (*mfaList, error) {
	of, err := in.owner(call)
	if err != nil {
		return nil, err
	}
	return view(s, call, func(tx *state.Txn) (*mfaList, error) {
		if of.root {
			return &mfaList{}, nil
		}
		user, found := region.Users.Get(tx, of.user)
		if !found {
			return nil, notThere(kindUser, of.user)
		}
		out := &mfaList{}
		shown := described(devicesOf(tx,
			user), func(d iam.MFADevice) MFADevice { return MFADevice{user.Name, d.Serial, stamp(*d.EnabledAt)} })
		out.MFADevices, out.pageEnd, err = page(call, in.paging, shown, func(d MFADevice) string { return d.SerialNumber })
		return out, err
	})
}

type getMFAInput struct {
	SerialNumber string `query:",required"`
	UserName     string
}

// user is whom the request names, else who has the device.
func (in getMFAInput) user(_ *operation.Call, tx *state.Txn) string {
	if in.UserName != "" {
		return in.UserName
	}
	if d, found := iam.MFADevices.Get(tx, in.SerialNumber); found {
		if user := userWithID(tx, d.UserID); user != nil {
			return user.Name
		}
	}
	return ""
}

type mfaResult struct{ UserName, SerialNumber, EnableDate string }

func (s *Service) getMFA(call *operation.Call, in *getMFAInput) (*mfaResult, error) {
	return view(s, call, func(tx *state.Txn) (*mfaResult, error) {
		d, found := iam.MFADevices.Get(tx, in.SerialNumber)
		user := userWithID(tx, d.UserID)
		if !found || user == nil || in.UserName != "" && user.Name != in.UserName {
			return nil, notThere(kindMFA, in.SerialNumber)
		}
		return &mfaResult{user.Name, d.Serial, stamp(*d.EnabledAt)}, nil
	})
}

// userWithID is the user with a unique id; nil where there is none.
func userWithID(tx *state.Txn, id string) *region.User {
	for _, user := range region.Users.Part("").After(tx, "") {
		if user.ID == id {
			return &user
		}
	}
	return nil
}

type listVirtualInput struct {
	AssignmentStatus string
	paging
}

type virtualMFAList struct {
	VirtualMFADevices list[VirtualMFADevice]
	pageEnd
}

func (s *Service) listVirtualMFA(call *operation.Call, in *listVirtualInput) (*virtualMFAList, error) {
	return view(s, call, func(tx *state.Txn) (*virtualMFAList, error) {
		wanted := func(d iam.MFADevice) bool {
			return in.AssignmentStatus != "Assigned" && d.UserID == "" || in.AssignmentStatus != "Unassigned" && d.UserID != ""
		}
		devices, end, err := pageOf(call, in.paging, from(tx, iam.MFADevices.Part("")), wanted)
		return &virtualMFAList{described(devices, func(d iam.MFADevice) VirtualMFADevice {
			out := VirtualMFADevice{SerialNumber: d.Serial}
			if user := userWithID(tx, d.UserID); user != nil {
				shown := summarizeUser(*user)
				out.User, out.EnableDate = &shown, stamp(*d.EnabledAt)
			}
			return out
		}), end}, err
	})
}
