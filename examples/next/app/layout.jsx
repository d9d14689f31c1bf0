/** The shell: the same for everybody. A box has its place and height in the style sheet, whatever comes to stand in it. */
import '../../shop/page.css';

export const metadata = { title: 'Halden Outdoor', icons: 'data:,' };

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>
        <header>
          <b>Halden</b>
          <nav>
            <a href="/new">New</a> <a href="/shoes">Shoes</a> <a href="/outdoor">Outdoor</a> <a href="/care">Care</a>
          </nav>
        </header>
        <main>{children}</main>
        <footer>Halden Outdoor · shops in eleven towns</footer>
      </body>
    </html>
  );
}
