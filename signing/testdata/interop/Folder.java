import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/**
 * A folder with one message or document: unsigned.xml, signed.xml, key.der (PKCS #8), credential.der, and the parts of a
 * message in parts/, each named by its URI without "cid:".
 */
final class Folder {
    static final String SOAP = "http://schemas.xmlsoap.org/soap/envelope/";
    static final String DSIG = "http://www.w3.org/2000/09/xmldsig#";
    static final String UBL_SIGNATURE = "urn:oasis:names:specification:ubl:schema:xsd:SignatureAggregateComponents-2";
    static final String RSA = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
    static final String ECDSA = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";
    static final String XPATH = "not(ancestor-or-self::node()[@soap:actor='urn:oasis:names:tc:ebxml-msg:actor:nextMSH']"
        + " | ancestor-or-self::node()[@soap:actor='http://schemas.xmlsoap.org/soap/actor/next'])";

    final Path path;

    Folder(String path) {
        this.path = Path.of(path);
    }

    /** What an implementation does with a folder. */
    interface Work {
        boolean verify(Folder folder) throws Exception;

        void sign(Folder folder, Document document) throws Exception;
    }

    /**
     * "verify FOLDER..." and "sign FOLDER..." print a line for each folder: yes, or no with the reason. "bench SECONDS
     * FOLDER..." prints the CPU microseconds of one verification, warm, and then those of one signature.
     */
    static void run(String[] args, Work work) throws Exception {
        if (args[0].equals("bench")) {
            for (int i = 2; i < args.length; i++) {
                bench(new Folder(args[i]), Double.parseDouble(args[1]), work);
            }
            return;
        }
        for (int i = 1; i < args.length; i++) {
            Folder folder = new Folder(args[i]);
            try {
                if (args[0].equals("sign")) {
                    Document document = folder.parse("unsigned.xml");
                    work.sign(folder, document);
                    folder.write(document);
                    System.out.println("yes");
                } else {
                    System.out.println(work.verify(folder) ? "yes" : "no: does not verify");
                }
            } catch (Exception e) {
                System.out.println("no: " + String.valueOf(e).replace('\n', ' ') + " " + (e.getCause() == null ? "" : e.getCause()));
            }
        }
    }

    private static void bench(Folder folder, double seconds, Work work) throws Exception {
        double verify = best(seconds, () -> {
            if (!work.verify(folder)) {
                throw new IllegalStateException(folder.path + " does not verify");
            }
        });
        double sign = best(seconds, () -> work.sign(folder, folder.parse("unsigned.xml")));
        System.out.printf(java.util.Locale.ROOT, "%.1f %.1f%n", verify, sign);
    }

    private interface Step {
        void run() throws Exception;
    }

    /** The best of five windows after as long a warm-up, in CPU microseconds of this thread. */
    private static double best(double seconds, Step step) throws Exception {
        var threads = ManagementFactory.getThreadMXBean();
        double best = Double.MAX_VALUE;
        for (int window = 0; window < 10; window++) {
            long start = threads.getCurrentThreadCpuTime(), used = 0, count = 0;
            while (used < seconds / 5 * 1e9) {
                step.run();
                count++;
                used = threads.getCurrentThreadCpuTime() - start;
            }
            if (window >= 5) {
                best = Math.min(best, used / 1e3 / count);
            }
        }
        return best;
    }

    Document parse(String name) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        return factory.newDocumentBuilder().parse(new ByteArrayInputStream(Files.readAllBytes(path.resolve(name))));
    }

    void write(Document document) throws Exception {
        try (var out = Files.newOutputStream(path.resolve("signed.xml"))) {
            TransformerFactory.newInstance().newTransformer().transform(new DOMSource(document), new StreamResult(out));
        }
    }

    byte[] part(String uri) throws IOException {
        return Files.readAllBytes(path.resolve("parts").resolve(uri.substring("cid:".length())));
    }

    String[] partURIs() throws IOException {
        try (var list = Files.list(path.resolve("parts"))) {
            return list.map(file -> "cid:" + file.getFileName()).sorted().toArray(String[]::new);
        }
    }

    boolean isMessage() {
        return Files.exists(path.resolve("parts"));
    }

    /** The element that takes the signature as its last child. */
    Element place(Document document) {
        NodeList places = isMessage() ? document.getElementsByTagNameNS(SOAP, "Header")
            : document.getElementsByTagNameNS(UBL_SIGNATURE, "SignatureInformation");
        return (Element) places.item(0);
    }

    Element signature(Document document) {
        return (Element) document.getElementsByTagNameNS(DSIG, "Signature").item(0);
    }

    X509Certificate credential() throws Exception {
        byte[] der = Files.readAllBytes(path.resolve("credential.der"));
        return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(der));
    }

    PrivateKey key() throws Exception {
        return KeyFactory.getInstance(credential().getPublicKey().getAlgorithm())
            .generatePrivate(new PKCS8EncodedKeySpec(Files.readAllBytes(path.resolve("key.der"))));
    }

    String algorithm() throws Exception {
        return credential().getPublicKey().getAlgorithm().equals("EC") ? ECDSA : RSA;
    }
}
